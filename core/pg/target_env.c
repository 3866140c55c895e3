/* SPDX-License-Identifier: PostgreSQL */
/* target_env.c - how another program finds the same database. */
#include "core/pg/target_env.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/text.h"

#define MAX_URL (64 * 1024)

static const char scheme[] = "postgresql://";

/* ---- as a URL ------------------------------------------------------------------------------------------------ */

void target_escape(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("-._~", c) != NULL)
            buf_putc(out, *text);
        else
            buf_printf(out, "%%%02X", c);
    }
}

static void put_parameter(struct buf *out, char *before, const char *keyword, const char *value)
{
    buf_printf(out, "%c%s=", *before, keyword);
    target_escape(out, value);
    *before = '&';
}

/* Is it said by user, host, port and database, or sfb's own addition for its long work? */
static bool is_no_parameter(const char *keyword)
{
    static const char *const parts[] = { "host", "port", "user", "password", "dbname", "connect_timeout", "service" };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(keyword, parts[i]) == 0)
            return true;
    return text_starts(keyword, "keepalives");
}

void target_url(const struct target *t, struct buf *out)
{
    const char *password = target_get(t, "password");
    PQconninfoOption *known = PQconndefaults();
    struct buf public;
    char before;

    buf_init(&public, MAX_URL);
    target_describe(t, &public);
    before = strchr(public.data, '?') != NULL ? '&' : '?';
    buf_puts(out, scheme);
    target_escape(out, target_user(t));
    if (password != NULL && *password != '\0') {
        buf_putc(out, ':');
        target_escape(out, password);
    }
    buf_putc(out, '@');
    buf_puts(out, public.size >= sizeof scheme - 1 ? public.data + sizeof scheme - 1 : "");
    for (const PQconninfoOption *o = known; o != NULL && o->keyword != NULL; o++) {
        const char *value = target_get(t, o->keyword);

        if (value != NULL && *value != '\0' && !is_no_parameter(o->keyword))
            put_parameter(out, &before, o->keyword, value);
    }
    PQconninfoFree(known);
    buf_release(&public);
}

/* ---- as an environment --------------------------------------------------------------------------------------- */

static bool names_variable(const char *entry, const char *name)
{
    size_t n = strlen(name);

    return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

/* Does it say where a database is, and so must not be passed on as it is? */
static bool is_replaced(const char *entry, const struct target *t, const PQconninfoOption *known)
{
    static const char *const others[] = { "DATABASE_URL", "PRODUCTION_DATABASE_URL", "STAGING_DATABASE_URL",
                                          "PGSERVICE", "PGHOSTADDR" };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (names_variable(entry, others[i]))
            return true;
    for (; known != NULL && known->keyword != NULL; known++)
        if (known->envvar != NULL && names_variable(entry, known->envvar) && target_get(t, known->keyword) != NULL)
            return true;
    return false;
}

static int push(char **environment, size_t *n, const char *name, const char *value, struct err *err)
{
    size_t size = strlen(name) + strlen(value) + 2;
    char *entry = malloc(size);

    if (entry == NULL)
        return err_no_memory(err);
    snprintf(entry, size, "%s%s%s", name, *name != '\0' ? "=" : "", value);
    environment[(*n)++] = entry;
    return 0;
}

static size_t count(const PQconninfoOption *known)
{
    size_t n = 0;

    for (char **e = environ; e != NULL && *e != NULL; e++)
        n++;
    for (; known != NULL && known->keyword != NULL; known++)
        n++;
    return n;
}

char **target_environment(const struct target *t, struct err *err)
{
    PQconninfoOption *known = PQconndefaults();
    char **out = calloc(count(known) + 2, sizeof *out);
    struct buf url;
    size_t n = 0;
    int rc = -1;

    buf_init(&url, MAX_URL);
    if (known == NULL || out == NULL) {
        err_no_memory(err);
        goto out;
    }
    for (char **e = environ; e != NULL && *e != NULL; e++)
        if (!is_replaced(*e, t, known) && push(out, &n, "", *e, err) < 0)
            goto out;
    for (const PQconninfoOption *o = known; o->keyword != NULL; o++) {
        const char *value = o->envvar != NULL ? target_get(t, o->keyword) : NULL;

        if (value != NULL && *value != '\0' && strcmp(o->keyword, "service") != 0 &&
            push(out, &n, o->envvar, value, err) < 0)
            goto out;
    }
    target_url(t, &url);
    rc = buf_check(&url, err) < 0 ? -1 : push(out, &n, "DATABASE_URL", url.data, err);
out:
    PQconninfoFree(known);
    text_wipe(url.data, url.size);
    buf_release(&url);
    if (rc == 0)
        return out;
    target_environment_free(out);
    return NULL;
}

void target_environment_free(char **environment)
{
    for (char **e = environment; e != NULL && *e != NULL; e++) {
        text_wipe(*e, strlen(*e));
        free(*e);
    }
    free(environment);
}
