/* SPDX-License-Identifier: PostgreSQL */
/* alert_form.c - an alert as Slack's message and as a mail. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "core/watch/alert_text.h"
#include "version.h"

#define TEXT_MAX ((size_t)64 * 1024)

/* ---- Slack --------------------------------------------------------------------------------------------------------- */

#define SLACK_MAX 2900 /* a section's text may have 3000 characters */
#define FIELD_MAX ((size_t)1200)

/* Slack's three characters; cut where it gets too long, between characters. */
static void add_mrkdwn(struct buf *out, const char *text, size_t limit)
{
    size_t end = out->size + limit;

    for (; *text; text++) {
        const char *entity = *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : NULL;

        if (out->size + 8 > end && ((unsigned char)*text & 0xC0) != 0x80) {
            buf_puts(out, "…");
            return;
        }
        if (entity)
            buf_puts(out, entity);
        else
            buf_putc(out, *text);
    }
}

/* A long error leaves room for what follows; and many fields, as of a digest, end before the action. */
static void slack_text(struct buf *out, const struct alert *a)
{
    size_t end = SLACK_MAX - (a->action ? FIELD_MAX : 0);

    buf_printf(out, "*%s*\n", a->title);
    for (size_t i = 0; i < a->n_fields; i++) {
        const struct alert_field *f = &a->fields[i];
        size_t used = out->size + strlen(f->name) + 32;

        if (f->detail)
            continue;
        if (used >= end) {
            buf_puts(out, "\n…");
            break;
        }
        buf_printf(out, "\n%s: ", f->name);
        add_mrkdwn(out, f->value, end - used < FIELD_MAX ? end - used : FIELD_MAX);
    }
    if (a->action) {
        buf_puts(out, "\n\n*Action Required*: ");
        add_mrkdwn(out, a->action, FIELD_MAX - 64);
    }
}

static cJSON *slack_section(const char *text)
{
    cJSON *section = cJSON_CreateObject(), *inner;

    cJSON_AddStringToObject(section, "type", "section");
    inner = cJSON_AddObjectToObject(section, "text");
    cJSON_AddStringToObject(inner, "type", "mrkdwn");
    if (cJSON_AddStringToObject(inner, "text", text))
        return section;
    cJSON_Delete(section);
    return NULL;
}

static int print_json(struct buf *out, const cJSON *root, struct err *err)
{
    char *text = root ? cJSON_PrintUnformatted(root) : NULL;

    if (!text)
        return err_no_memory(err);
    buf_puts(out, text);
    free(text);
    return buf_check(out, err);
}

int alert_slack(struct buf *out, const struct alert *a, bool blocks, struct err *err)
{
    cJSON *root = cJSON_CreateObject(), *section;
    struct buf text;
    int rc = -1;

    buf_init(&text, TEXT_MAX);
    if (!blocks)
        buf_printf(&text, "%s\n\n", a->headline);
    slack_text(&text, a);
    if (buf_check(&text, err) < 0)
        goto out;
    if (!cJSON_AddStringToObject(root, "text", blocks ? a->headline : text.data)) {
        err_no_memory(err);
        goto out;
    }
    section = blocks ? slack_section(text.data) : NULL;
    if (blocks && !cJSON_AddItemToArray(cJSON_AddArrayToObject(root, "blocks"), section)) {
        cJSON_Delete(section);
        err_no_memory(err);
        goto out;
    }
    rc = print_json(out, root, err);
out:
    cJSON_Delete(root);
    buf_release(&text);
    return rc;
}

/* ---- mail ------------------------------------------------------------------------------------------------------------ */

static const char *field_value(const struct alert *a, const char *name)
{
    for (size_t i = 0; i < a->n_fields; i++)
        if (strcmp(a->fields[i].name, name) == 0)
            return a->fields[i].value;
    return NULL;
}

void alert_subject(struct buf *out, const struct alert *a)
{
    const char *environment = field_value(a, "Environment"), *host = field_value(a, "Host");

    buf_puts(out, a->headline);
    if (environment)
        buf_printf(out, ": %s", environment);
    if (host)
        buf_printf(out, " (%s)", host);
}

void alert_plain(struct buf *out, const struct alert *a)
{
    buf_printf(out, "%s\n\n", a->title);
    for (int detail = 0; detail < 2; detail++) {
        for (size_t i = 0; i < a->n_fields; i++)
            if (a->fields[i].detail == (bool)detail)
                buf_printf(out, "%s: %s\n", a->fields[i].name, a->fields[i].value);
        if (detail == 0 && a->action)
            buf_printf(out, "\nAction Required: %s\n", a->action);
        buf_putc(out, '\n');
    }
    buf_puts(out, "-- \nsfb " SFB_VERSION "\n");
}

static void add_escaped(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            buf_puts(out, "&amp;");
        else if (*text == '<')
            buf_puts(out, "&lt;");
        else if (*text == '>')
            buf_puts(out, "&gt;");
        else if (*text == '"')
            buf_puts(out, "&quot;");
        else
            buf_putc(out, *text);
    }
}

static void add_rows(struct buf *out, const struct alert *a, bool detail)
{
    buf_puts(out, "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\">\n");
    for (size_t i = 0; i < a->n_fields; i++) {
        if (a->fields[i].detail != detail)
            continue;
        buf_puts(out, "<tr><td style=\"padding:2px 16px 2px 0;vertical-align:top;white-space:nowrap\"><b>");
        add_escaped(out, a->fields[i].name);
        buf_puts(out, "</b></td><td style=\"padding:2px 0;word-break:break-word\">");
        add_escaped(out, a->fields[i].value);
        buf_puts(out, "</td></tr>\n");
    }
    buf_puts(out, "</table>\n");
}

/* No style sheet, no image, nothing from elsewhere; colours are the reader's own, so that dark mode works. */
void alert_html(struct buf *out, const struct alert *a)
{
    buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width\">\n"
                  "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    add_escaped(out, a->title);
    buf_puts(out, "</title></head>\n<body style=\"font-family:sans-serif;line-height:1.4;margin:16px\">\n"
                  "<h1 style=\"font-size:20px;margin:0 0 12px\">");
    add_escaped(out, a->headline);
    buf_puts(out, "</h1>\n");
    add_rows(out, a, false);
    if (a->action) {
        buf_puts(out, "<p style=\"margin:16px 0\"><b>Action Required</b>: ");
        add_escaped(out, a->action);
        buf_puts(out, "</p>\n");
    }
    buf_puts(out, "<hr>\n");
    add_rows(out, a, true);
    buf_puts(out, "<p style=\"font-size:12px\">sfb " SFB_VERSION "</p>\n</body></html>\n");
}
