/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/html.h"

#include <stdarg.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"

/* ---- text ------------------------------------------------------------------------------------------------------- */

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void html_text(struct buf *out, const char *text)
{
    struct buf visible;

    buf_init(&visible, out->max);
    text_visible(&visible, text != NULL ? text : "");
    for (const char *c = visible.data; *c != '\0'; c++) {
        const char *escaped = entity(*c);

        if (escaped != NULL)
            buf_puts(out, escaped);
        else
            buf_putc(out, *c);
    }
    out->failed = out->failed || visible.failed;
    buf_release(&visible);
}

/* One conversion behind its '%'; returns what follows it, NULL when it is none of ours. */
static const char *convert(struct buf *out, const char *at, va_list *args)
{
    if (*at == 's')
        html_text(out, va_arg(*args, const char *));
    else if (*at == 'd')
        buf_printf(out, "%d", va_arg(*args, int));
    else if (at[0] == 'z' && at[1] == 'u')
        buf_printf(out, "%zu", va_arg(*args, size_t));
    else if (*at == '%')
        buf_putc(out, '%');
    else
        return NULL;
    return at + (*at == 'z' ? 2 : 1);
}

void html_add(struct buf *out, const char *format, ...)
{
    const char *at = format;
    va_list args;

    va_start(args, format);
    while (at != NULL && *at != '\0') {
        size_t plain = strcspn(at, "%");

        buf_add(out, at, plain);
        at += plain;
        if (*at == '%')
            at = convert(out, at + 1, &args);
    }
    va_end(args);
    out->failed = out->failed || at == NULL;
}

void html_time(struct buf *out, time_t t)
{
    char iso[CLOCK_TEXT], shown[CLOCK_TEXT];

    if (t == 0)
        buf_puts(out, "–");
    else
        buf_printf(out, "<time datetime=\"%s\">%.16s UTC</time>", clock_iso(iso, t), clock_log(shown, t));
}

void html_date(struct buf *out, time_t t)
{
    static const char *const months[] = { "January", "February", "March",     "April",   "May",      "June",
                                          "July",    "August",   "September", "October", "November", "December" };
    char iso[CLOCK_TEXT];
    struct tm tm;

    if (gmtime_r(&t, &tm) != NULL)
        buf_printf(out, "<time datetime=\"%s\">%d&nbsp;%s&nbsp;%d, %02d:%02d&nbsp;UTC</time>", clock_iso(iso, t),
                   tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min);
}

/* ---- the frame -------------------------------------------------------------------------------------------------- */

/* The policy holds a browser to it that nothing is fetched and nothing runs, whatever a name in a table looks like. The
 * empty icon keeps it from asking the server for one. */
void html_begin(struct buf *out, const char *title)
{
    html_add(out,
             "<!doctype html>\n"
             "<html lang=\"en\">\n"
             "<head>\n"
             "<meta charset=\"utf-8\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
             "img-src data:; base-uri 'none'; form-action 'none'\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta name=\"color-scheme\" content=\"light dark\">\n"
             "<meta name=\"referrer\" content=\"no-referrer\">\n"
             "<meta name=\"robots\" content=\"noindex\">\n"
             "<title>%s</title>\n"
             "<link rel=\"icon\" href=\"data:,\">\n",
             title);
    buf_puts(out, "<style>\n");
    buf_puts(out, html_style);
    buf_puts(
        out,
        "</style>\n</head>\n<body>\n"
        "<svg class=\"signs\" aria-hidden=\"true\" focusable=\"false\" width=\"0\" height=\"0\">\n"
        "<symbol id=\"sign-good\" viewBox=\"0 0 16 16\"><path class=\"sign\" d=\"M3 8.5 6.5 12 13 4.5\"/></symbol>\n"
        "<symbol id=\"sign-bad\" viewBox=\"0 0 16 16\"><path class=\"sign\" d=\"M4 4l8 8M12 4l-8 8\"/></symbol>\n"
        "<symbol id=\"sign-warning\" viewBox=\"0 0 16 16\"><path class=\"sign\" d=\"M8 2.5v7M8 12.6v.8\"/></symbol>\n"
        "<symbol id=\"sign-neutral\" viewBox=\"0 0 16 16\"><path class=\"sign\" d=\"M3.5 8h9\"/></symbol>\n"
        "</svg>\n<main>\n");
}

void html_end(struct buf *out, const char *footer)
{
    html_add(out, "</main>\n<footer><p>%s</p></footer>\n</body>\n</html>\n", footer);
}

/* ---- pieces ----------------------------------------------------------------------------------------------------- */

const char *html_state_name(enum html_state state)
{
    static const char *const names[] = { "good", "warning", "bad", "neutral" };

    return names[state];
}

void html_badge(struct buf *out, enum html_state state, const char *word)
{
    const char *name = html_state_name(state);

    html_add(out,
             "<span class=\"badge %s\"><svg aria-hidden=\"true\" focusable=\"false\" width=\"14\" height=\"14\">"
             "<use href=\"#sign-%s\"/></svg>%s</span>",
             name, name, word);
}

void html_table_begin(struct buf *out, const char *caption, const struct html_column *columns, size_t n)
{
    html_add(out, "<table class=\"columns-%zu\">\n<caption>%s</caption>\n<thead><tr>", n, caption);
    for (size_t i = 0; i < n; i++)
        html_add(out, "<th scope=\"col\" class=\"%s\">%s</th>", columns[i].class, columns[i].title);
    buf_puts(out, "</tr></thead>\n<tbody>\n");
}

void html_table_end(struct buf *out)
{
    buf_puts(out, "</tbody>\n</table>\n");
}
