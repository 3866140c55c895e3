/* SPDX-License-Identifier: PostgreSQL */
/* settings_mask.c - a connection string as it may be shown.
 *
 * It does not parse as libpq does: it must hide the password also where libpq would refuse the string, for that is when
 * somebody prints it to find out why.
 */
#include "core/backup/settings.h"

#include <string.h>
#include <strings.h>

#define MASK "***"

/* libpq's keywords whose values are secret, and what looks like one; percent signs may hide a letter of it. */
static bool secret_keyword(const char *name, size_t n)
{
    static const char *const parts[] = { "pass", "secret", "scram", "token", "%" };
    char word[64];

    if (n >= sizeof word)
        return true;
    memcpy(word, name, n);
    word[n] = '\0';
    if (strcasecmp(word, "passfile") == 0) /* a path */
        return false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(word, parts[i]))
            return true;
    return false;
}

/* "name=value&name=value" */
static void mask_query(struct buf *out, const char *query)
{
    while (*query) {
        size_t pair = strcspn(query, "&"), name = strcspn(query, "=&");

        if (name < pair && secret_keyword(query, name)) {
            buf_add(out, query, name + 1);
            buf_puts(out, MASK);
        } else {
            buf_add(out, query, pair);
        }
        query += pair;
        if (*query)
            buf_putc(out, *query++);
    }
}

/* The colon behind which no port stands: of "user:password" whose "@host" was forgotten. NULL: there is none. */
static const char *stray_colon(const char *authority)
{
    const char *end = authority + strcspn(authority, "/?");

    for (const char *p = authority; p < end; p++) {
        if (*p == '[') { /* an IPv6 address */
            p += strcspn(p, "]/?");
        } else if (*p == ':') {
            p += strspn(p + 1, "0123456789");
            if (p + 1 < end && p[1] != ',')
                return p;
        }
    }
    return NULL;
}

/* "scheme://user:password@host/path?query". A password may hold an @, / or ? that somebody forgot to encode: it ends at
 * the last @ there is. */
static void mask_url(struct buf *out, const char *url)
{
    const char *start = strstr(url, "://") + 3;
    const char *at = strrchr(start, '@');
    const char *colon = at ? memchr(start, ':', (size_t)(at - start)) : stray_colon(start);
    const char *query;

    if (colon) {
        buf_add(out, url, (size_t)(colon + 1 - url));
        buf_puts(out, MASK);
        url = at ? at : "";
    }
    query = strchr(url, '?');
    if (!query) {
        buf_puts(out, url);
        return;
    }
    buf_add(out, url, (size_t)(query + 1 - url));
    mask_query(out, query + 1);
}

/* The end of a keyword's value, which may be quoted; the end of the text when the quote is not closed. */
static const char *value_end(const char *p)
{
    bool quoted = *p == '\'';

    if (quoted)
        p++;
    while (*p && (quoted ? *p != '\'' : !strchr(" \t\r\n\f\v", *p))) {
        if (*p == '\\' && p[1])
            p++;
        p++;
    }
    return quoted && *p ? p + 1 : p;
}

/* "name=value name='value'", spaces around = allowed */
static void mask_keywords(struct buf *out, const char *p)
{
    static const char spaces[] = " \t\r\n\f\v";

    while (*p) {
        size_t gap = strspn(p, spaces), name = strcspn(p + gap, " \t\r\n\f\v=");
        const char *value = p + gap + name, *end;

        value += strspn(value, spaces);
        if (*value != '=') { /* not what libpq reads: who knows what the rest is */
            buf_add(out, p, gap);
            if (p[gap])
                buf_puts(out, MASK);
            return;
        }
        value++;
        value += strspn(value, spaces);
        end = value_end(value);
        buf_add(out, p, (size_t)(value - p));
        if (secret_keyword(p + gap, name))
            buf_puts(out, MASK);
        else
            buf_add(out, value, (size_t)(end - value));
        p = end;
    }
}

void settings_mask(struct buf *out, const char *value)
{
    const char *scheme = strstr(value, "://");
    size_t keyword = strcspn(value, "=");

    if (scheme && scheme == value + strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-"))
        mask_url(out, value);
    else if (value[keyword] == '=' && !memchr(value, '/', keyword))
        mask_keywords(out, value);
    else if (*value)
        buf_puts(out, MASK);
}
