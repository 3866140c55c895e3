/* SPDX-License-Identifier: PostgreSQL */
#include "core/io/mail_text.h"

#include <mbedtls/base64.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 100    /* addresses */
#define ADDRESS_MAX 254 /* RFC 5321 */
#define LINE 76         /* columns of a header's line (RFC 2047) */
#define WORD_BYTES 39   /* of text in an encoded word: 52 of base64 and 12 around it, beside "Subject: " */
#define UNFOLDED 60     /* columns of plain text that need no folding */

static const char blanks[] = " \t";

/* ---- addresses ----------------------------------------------------------------------------------------------- */

/* What SMTP takes in RCPT TO as it stands: one @ between a local part and a host of the usual letters. */
static bool is_address(const char *s, size_t n)
{
    const char *at = memchr(s, '@', n);
    size_t local = at ? (size_t)(at - s) : 0;

    if (!at || local == 0 || local > 64 || local + 1 == n || n > ADDRESS_MAX)
        return false;
    for (size_t i = 0; i < local; i++)
        if (s[i] <= ' ' || s[i] >= 127 || strchr("()<>[]:;@\\,\"", s[i]))
            return false;
    for (size_t i = local + 1; i < n; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9') ||
              s[i] == '-' || s[i] == '.' || s[i] == '[' || s[i] == ']' || s[i] == ':'))
            return false;
    return s[local + 1] != '.' && s[local + 1] != '-' && s[n - 1] != '-';
}

/* How far the next address reaches: to a comma that is neither in quotes nor in angle brackets, or to the end. */
static size_t piece(const char *s)
{
    bool quoted = false, angle = false;
    size_t i;

    for (i = 0; s[i] && (s[i] != ',' || quoted || angle); i++) {
        if (quoted && s[i] == '\\' && s[i + 1])
            i++;
        else if (s[i] == '"')
            quoted = !quoted;
        else if (!quoted && (s[i] == '<' || s[i] == '>'))
            angle = s[i] == '<';
    }
    return i;
}

static void trim(const char **s, size_t *n)
{
    while (*n > 0 && strchr(blanks, **s))
        (*s)++, (*n)--;
    while (*n > 0 && strchr(blanks, (*s)[*n - 1]))
        (*n)--;
}

/* A display name without its quotes; NULL only without memory. */
static char *unquote(const char *s, size_t n)
{
    char *name = malloc(n + 1), *to = name;

    if (!name)
        return NULL;
    if (n >= 2 && s[0] == '"' && s[n - 1] == '"') {
        s++;
        n -= 2;
    }
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\\' && i + 1 < n)
            i++;
        *to++ = s[i];
    }
    *to = '\0';
    return name;
}

static int parse_one(struct mail_address *a, const char *s, size_t n, struct err *err)
{
    const char *open = n > 0 && s[n - 1] == '>' ? memrchr(s, '<', n) : NULL;
    const char *address = open ? open + 1 : s;
    size_t address_n = open ? (size_t)(s + n - 1 - address) : n, name_n = open ? (size_t)(open - s) : 0;

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 127)
            return err_set(err, ERR_CONFIG, "a mail address has a control character in it");
    trim(&address, &address_n);
    if (!is_address(address, address_n)) {
        err_set(err, ERR_CONFIG, "\"%.*s\" is no mail address", (int)(n < 200 ? n : 200), s);
        err_hint(err, "write ops@example.com, or Ops <ops@example.com>; several are separated by commas");
        return -1;
    }
    trim(&s, &name_n);
    a->address = strndup(address, address_n);
    if (!a->address || (name_n > 0 && !(a->name = unquote(s, name_n))))
        return err_no_memory(err);
    return 0;
}

int mail_addresses(const char *text, struct mail_address **list, size_t *n, struct err *err)
{
    struct mail_address *found = calloc(LIST_MAX, sizeof *found);
    size_t count = 0;

    if (!found)
        return err_no_memory(err);
    while (*text) {
        size_t length = piece(text), trimmed = length;
        const char *s = text;

        text += length + (text[length] == ',');
        trim(&s, &trimmed);
        if (trimmed == 0) /* a comma too many */
            continue;
        if (count == LIST_MAX) {
            err_set(err, ERR_CONFIG, "more than %d mail addresses", LIST_MAX);
            goto fail;
        }
        if (parse_one(&found[count++], s, trimmed, err) < 0)
            goto fail;
    }
    if (count == 0) {
        err_set(err, ERR_CONFIG, "there is no mail address in \"\"");
        goto fail;
    }
    *list = found;
    *n = count;
    return 0;
fail:
    mail_addresses_free(found, count);
    return -1;
}

void mail_addresses_free(struct mail_address *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(list[i].name);
        free(list[i].address);
    }
    free(list);
}

/* ---- headers ------------------------------------------------------------------------------------------------- */

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text >= 127)
            return false;
    return true;
}

/* How many bytes of text fit into one encoded word without cutting a character apart. */
static size_t word_length(const char *text)
{
    size_t n = strnlen(text, WORD_BYTES + 1);

    if (n <= WORD_BYTES)
        return n;
    for (n = WORD_BYTES; n > WORD_BYTES - 4 && ((unsigned char)text[n] & 0xC0) == 0x80; n--)
        ;
    return n;
}

/* Each but the first on a line of its own. */
static void add_words(struct buf *out, size_t used, const char *text)
{
    unsigned char word[4 * (WORD_BYTES / 3 + 2)];
    size_t n, size = 0;

    for (bool first = true; *text; text += n, first = false) {
        n = word_length(text);
        if (mbedtls_base64_encode(word, sizeof word, &size, (const unsigned char *)text, n) != 0)
            size = 0;
        if (!first || used + size + 12 > LINE)
            buf_puts(out, "\r\n ");
        buf_printf(out, "=?UTF-8?B?%.*s?=", (int)size, (const char *)word);
    }
}

void mail_header_text(struct buf *out, size_t used, const char *text)
{
    if (is_plain(text) && strlen(text) <= UNFOLDED && !strstr(text, "=?"))
        buf_puts(out, text);
    else
        add_words(out, used, text);
}

/* As an atom where it is one, else in quotes, else in encoded words. */
static void add_name(struct buf *out, size_t used, const char *name)
{
    if (!is_plain(name) || strlen(name) > UNFOLDED || strstr(name, "=?")) {
        add_words(out, used, name);
        return;
    }
    buf_putc(out, '"');
    for (; *name; name++) {
        if (*name == '"' || *name == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *name);
    }
    buf_putc(out, '"');
}

void mail_header_addresses(struct buf *out, size_t used, const struct mail_address *list, size_t n)
{
    for (size_t i = 0; i < n; i++, used = 1) {
        const char *name = list[i].name, *address = list[i].address;
        bool one_line = name && is_plain(name) && used + strlen(name) + strlen(address) + 8 <= LINE;

        if (i > 0)
            buf_puts(out, ",\r\n ");
        if (name)
            add_name(out, used, name);
        buf_printf(out, name ? (one_line ? " <%s>" : "\r\n <%s>") : "%s", address);
    }
}

const char *mail_date(char out[MAIL_DATE], time_t t)
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct tm tm = { 0 };

    if (!gmtime_r(&t, &tm))
        memset(&tm, 0, sizeof tm);
    snprintf(out, MAIL_DATE, "%s, %d %s %04d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
             (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return out;
}

void mail_lines(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\r' && text[1] == '\n')
            continue;
        if (*text == '\n' || *text == '\r')
            buf_puts(out, "\r\n");
        else
            buf_putc(out, *text);
    }
}
