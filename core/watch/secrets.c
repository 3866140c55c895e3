/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/secrets.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

#define MASK "***"
#define SHORTEST 4
#define SHORTEST_PATH 8 /* of a webhook: a token is longer, "hook" is a word */
#define KNOWN_MAX 64

struct known {
    char *items[KNOWN_MAX]; /* longest first: one may be a part of another */
    size_t n;
};

static void add(struct known *k, const char *text, size_t n)
{
    char *copy;
    size_t at;

    if (n < SHORTEST || k->n == KNOWN_MAX || !(copy = strndup(text, n)))
        return;
    for (at = k->n; at > 0 && strlen(k->items[at - 1]) < n; at--)
        k->items[at] = k->items[at - 1];
    k->items[at] = copy;
    k->n++;
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* Also as it reads without its percent signs. */
static void add_encoded(struct known *k, const char *text, size_t n)
{
    char *plain = malloc(n + 1);
    size_t m = 0;

    add(k, text, n);
    for (size_t i = 0; plain && i < n; i++) {
        bool encoded = text[i] == '%' && i + 2 < n && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;

        plain[m++] = encoded ? (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])) : text[i];
        i += encoded ? 2 : 0;
    }
    if (plain && m < n && memchr(plain, '\0', m) == NULL)
        add(k, plain, m);
    if (plain)
        text_wipe(plain, n);
    free(plain);
}

/* The password of scheme://user:password@host, wherever its @ may be. */
static void add_userinfo(struct known *k, const char *rest)
{
    const char *at = strrchr(rest, '@'), *colon = at ? memchr(rest, ':', (size_t)(at - rest)) : NULL;

    if (colon)
        add_encoded(k, colon + 1, (size_t)(at - colon - 1));
}

/* password=... of a query or of keywords, quoted or not. */
static void add_keywords(struct known *k, const char *text)
{
    const char *p = text;

    while ((p = strcasestr(p, "password")) != NULL) {
        p += strlen("password");
        p += strspn(p, " ");
        if (*p != '=')
            continue;
        p++;
        p += strspn(p, " ");
        if (*p == '\'')
            add_encoded(k, p + 1, strcspn(p + 1, "'"));
        else
            add_encoded(k, p, strcspn(p, " &"));
    }
}

/* A connection string: host and database may be told. */
static void add_connection(struct known *k, const char *value)
{
    const char *scheme = strstr(value, "://");

    if (scheme)
        add_userinfo(k, scheme + 3);
    add_keywords(k, value);
}

/* All of it but, of a URL, scheme and host: the way to a webhook is its password. */
static void add_whole(struct known *k, const char *value)
{
    const char *scheme = strstr(value, "://"), *rest = scheme ? scheme + 3 : NULL, *path;

    if (strcmp(value, "none") == 0) /* of a heartbeat */
        return;
    add(k, value, strlen(value));
    if (!rest)
        return;
    add_userinfo(k, rest);
    path = rest + strcspn(rest, "/?#");
    if (strlen(path) > SHORTEST_PATH)
        add_encoded(k, path + 1, strlen(path + 1));
}

static void gather(struct known *k, const struct settings *s)
{
    static const char *const names[] = { "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN" };

    for (int i = 0; i < SETTING_COUNT; i++) {
        enum setting which = (enum setting)i;

        if (settings_secrecy(which) == SETTING_HAS_PASSWORD)
            add_connection(k, settings_get(s, which));
        else if (settings_secrecy(which) == SETTING_SECRET)
            add_whole(k, settings_get(s, which));
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value)
            add(k, value, strlen(value));
    }
}

/* The first of the known ones that begins at text. */
static size_t length_at(const struct known *k, const char *text)
{
    for (size_t i = 0; i < k->n; i++)
        if (text_starts(text, k->items[i]))
            return strlen(k->items[i]);
    return 0;
}

void secrets_hide(struct buf *out, const char *text, const struct settings *s)
{
    struct known known = { .n = 0 };
    size_t n;

    gather(&known, s);
    while (*text) {
        n = length_at(&known, text);
        if (n > 0)
            buf_puts(out, MASK);
        else
            buf_putc(out, *text);
        text += n > 0 ? n : 1;
    }
    for (size_t i = 0; i < known.n; i++) {
        text_wipe(known.items[i], strlen(known.items[i]));
        free(known.items[i]);
    }
}
