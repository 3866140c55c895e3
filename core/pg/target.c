/* SPDX-License-Identifier: PostgreSQL */
/* target.c - a parsed connection URL, completed from libpq's variables. Never shows a password. */
#include "core/pg/conn.h"

#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/text.h"

#define MAX_CONNINFO (256 * 1024)
#define DEFAULT_PORT "5432"

/* Keywords and values for libpq, without those that it finds in the environment by itself. */
struct pair {
    char *keyword, *value;
};
struct target {
    struct pair *pairs;
    size_t n, room;
};

static const char percent_hint[] =
    "in user names and passwords write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and % as %25";

/* ---- pairs --------------------------------------------------------------------------------------------------- */

const char *target_get(const struct target *t, const char *keyword)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->pairs[i].keyword, keyword) == 0)
            return t->pairs[i].value;
    return NULL;
}

static void wipe_string(char *text)
{
    if (text != NULL)
        text_wipe(text, strlen(text));
    free(text);
}

static int target_put(struct target *t, const char *keyword, const char *value, struct err *err)
{
    char *copy = strdup(value);
    struct pair *p;

    if (copy == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->pairs[i].keyword, keyword) == 0) {
            wipe_string(t->pairs[i].value);
            t->pairs[i].value = copy;
            return 0;
        }
    if (t->n == t->room) {
        size_t room = t->room ? t->room * 2 : 16;
        p = realloc(t->pairs, room * sizeof *p);
        if (p == NULL)
            goto no_memory;
        t->pairs = p;
        t->room = room;
    }
    p = &t->pairs[t->n];
    p->keyword = strdup(keyword);
    if (p->keyword == NULL)
        goto no_memory;
    p->value = copy;
    t->n++;
    return 0;
no_memory:
    wipe_string(copy);
    return err_no_memory(err);
}

static int put_unless_given(struct target *t, const char *keyword, const char *value, struct err *err)
{
    const char *given = target_get(t, keyword);

    return given != NULL && *given ? 0 : target_put(t, keyword, value, err);
}

void target_free(struct target *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n; i++) {
        free(t->pairs[i].keyword);
        wipe_string(t->pairs[i].value);
    }
    free(t->pairs);
    free(t);
}

/* ---- mistakes in URLs, told without repeating what may be a piece of the password ---------------------------- */

/* May this word of libpq's message be shown? Keywords, and parameters that other drivers' URLs are known to have. */
static bool may_be_shown(const char *word, size_t n, const PQconninfoOption *known)
{
    static const char *const foreign[] = { "=",
                                           "schema",
                                           "ssl",
                                           "pgbouncer",
                                           "connection_limit",
                                           "charset",
                                           "pool_timeout",
                                           "ssl_mode",
                                           "prepared_statements",
                                           "sslaccept",
                                           "statement_cache_size",
                                           "encoding",
                                           "pool_size",
                                           NULL };

    for (size_t i = 0; foreign[i] != NULL; i++)
        if (strlen(foreign[i]) == n && memcmp(word, foreign[i], n) == 0)
            return true;
    for (; known != NULL && known->keyword != NULL; known++)
        if (strlen(known->keyword) == n && memcmp(word, known->keyword, n) == 0)
            return true;
    return false;
}

/* libpq quotes the pieces that it could not understand: whatever is no keyword is left out. */
static int not_understood(const char *message, const PQconninfoOption *known, struct err *err)
{
    struct buf shown;

    buf_init(&shown, 1000);
    while (*message != '\0' && *message != '\n') {
        const char *end = *message == '"' ? strchr(message + 1, '"') : NULL;
        if (end != NULL && !may_be_shown(message + 1, (size_t)(end - message) - 1, known))
            buf_puts(&shown, "\"...\"");
        else if (end != NULL)
            buf_add(&shown, message, (size_t)(end - message) + 1);
        else if (*message == '"') {
            buf_puts(&shown, "\"...\"");
            break;
        } else
            buf_putc(&shown, *message);
        message = end != NULL ? end + 1 : message + 1;
    }
    err_set(err, ERR_CONFIG, "the database URL can't be understood: %s", shown.data);
    if (strstr(shown.data, "query parameter") != NULL)
        err_hint(err, "after the ? only libpq's own parameters may stand (sslmode, options, ...): remove the others");
    else
        err_hint(err, "it should look like postgresql://USER:PASSWORD@HOST:5432/DATABASE; %s", percent_hint);
    buf_release(&shown);
    return -1;
}

static const char *after_scheme(const char *url)
{
    const char *colon = strstr(url, "://");

    return colon != NULL && strcspn(url, "/@= '\"") > (size_t)(colon - url) ? colon + 3 : NULL;
}

static size_t count(const char *text, size_t n, char what)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += text[i] == what;
    return found;
}

/* An unescaped @ or / in a password moves the rest of it into the host, port or database name, which are shown. */
static int check_url(const char *url, struct err *err)
{
    const char *rest = after_scheme(url);
    size_t authority, path;

    if (rest == NULL)
        return 0;
    authority = strcspn(rest, "/?");
    path = strcspn(rest + authority, "?");
    if (count(rest, authority, '@') > 1) {
        err_set(err, ERR_CONFIG, "the database URL has more than one @ before its host");
        err_hint(err, "%s", percent_hint);
        return -1;
    }
    if (count(rest, authority, '@') == 0 && count(rest + authority, path, '@') > 0) {
        err_set(err, ERR_CONFIG, "the database URL has a / before its @");
        err_hint(err, "%s", percent_hint);
        return -1;
    }
    return 0;
}

/* "postgresql+psycopg2://..." is how SQLAlchemy names the driver: the same URL otherwise. NULL and err for others'. */
static char *normal_url(const char *url, struct err *err)
{
    const char *rest;
    size_t scheme;
    char *out = NULL;

    url += strspn(url, " \t\r\n");
    rest = after_scheme(url);
    scheme = rest != NULL ? (size_t)(rest - url) - 3 : 0;
    if (rest != NULL && !text_starts(url, "postgresql://") && !text_starts(url, "postgres://") &&
        !text_starts(url, "postgresql+") && !text_starts(url, "postgres+")) {
        err_set(err, ERR_CONFIG, "this is no PostgreSQL URL: it begins with %.*s://", (int)(scheme > 20 ? 20 : scheme),
                url);
        err_hint(err, "it should look like postgresql://USER:PASSWORD@HOST:5432/DATABASE");
        return NULL;
    }
    if (rest == NULL) {
        out = strdup(url);
    } else {
        size_t size = strlen(rest) + sizeof "postgresql://";
        out = malloc(size);
        if (out != NULL)
            snprintf(out, size, "postgresql://%s", rest);
    }
    if (out == NULL)
        err_no_memory(err);
    else
        for (size_t n = strlen(out); n > 0 && strchr(" \t\r\n", out[n - 1]) != NULL; n--)
            out[n - 1] = '\0'; /* a file or a secret store may have added a newline */
    return out;
}

/* ---- completing ---------------------------------------------------------------------------------------------- */

/* What libpq would take from its variables and from the service file. It looks up a service only by PGSERVICE here. */
static PQconninfoOption *surroundings(const char *service)
{
    const char *before = getenv("PGSERVICE");
    char *kept = before != NULL ? strdup(before) : NULL;
    PQconninfoOption *found;

    if (service != NULL)
        setenv("PGSERVICE", service, 1);
    found = PQconndefaults();
    if (service != NULL && kept != NULL)
        setenv("PGSERVICE", kept, 1);
    else if (service != NULL)
        unsetenv("PGSERVICE");
    free(kept);
    return found;
}

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options != NULL && options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val != NULL && *options->val ? options->val : NULL;
    return NULL;
}

/* Where the server of this machine listens: distributions disagree, and the default that libpq was built with is one. */
static const char *socket_directory(const char *port)
{
    static const char *const places[] = { "/var/run/postgresql", "/run/postgresql", "/tmp", NULL };
    struct stat st;
    char path[128];

    for (size_t i = 0; places[i] != NULL; i++) {
        snprintf(path, sizeof path, "%s/.s.PGSQL.%s", places[i], port);
        if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
            return places[i];
    }
    return stat(places[0], &st) == 0 ? places[0] : "/tmp";
}

static bool has_own_ca(void)
{
    const char *home = getenv("HOME");
    char path[4096];

    if (home == NULL || *home == '\0') {
        const struct passwd *me = getpwuid(geteuid());
        home = me != NULL ? me->pw_dir : NULL;
    }
    if (home == NULL)
        return false;
    snprintf(path, sizeof path, "%s/.postgresql/root.crt", home);
    return access(path, F_OK) == 0;
}

/* No CA named and none in the home directory: the public ones. With them only verify-full proves anything (anybody can
 * have a certificate of theirs), and libpq demands it. */
static int complete_trust(struct target *t, const PQconninfoOption *env, struct err *err)
{
    const char *mode = target_get(t, "sslmode");
    const char *ca = target_get(t, "sslrootcert");

    if (mode == NULL)
        mode = option_value(env, "sslmode");
    if (ca == NULL)
        ca = option_value(env, "sslrootcert");
    if (mode == NULL || (ca != NULL && *ca) || (strcmp(mode, "verify-full") != 0 && strcmp(mode, "verify-ca") != 0))
        return 0;
    if (has_own_ca())
        return 0;
    if (target_put(t, "sslmode", "verify-full", err) < 0)
        return -1;
    return target_put(t, "sslrootcert", "system", err);
}

/* One number, or a list of them in which an empty one is the default. What it is instead may be a piece of the password,
 * so it is not shown. */
static int complete_port(struct target *t, struct err *err)
{
    char *copy = strdup(target_get(t, "port")), *rest = copy, *one;
    struct buf whole;
    int number, rc = -1;

    if (copy == NULL)
        return err_no_memory(err);
    buf_init(&whole, 4096);
    while ((one = strsep(&rest, ",")) != NULL) {
        if (*one != '\0' && !text_parse_int(one, 1, 65535, &number)) {
            err_set(err, ERR_CONFIG, "the database URL's port is not a number from 1 to 65535");
            err_hint(err, "%s", percent_hint);
            goto out;
        }
        buf_printf(&whole, "%s%s", whole.size > 0 ? "," : "", *one != '\0' ? one : DEFAULT_PORT);
    }
    rc = buf_check(&whole, err) < 0 ? -1 : target_put(t, "port", whole.data, err);
out:
    buf_release(&whole);
    wipe_string(copy);
    return rc;
}

static int copy_effective(struct target *t, const PQconninfoOption *env, const char *keyword, struct err *err)
{
    const char *value = option_value(env, keyword);

    return value != NULL ? put_unless_given(t, keyword, value, err) : 0;
}

/* Everything that must be known before the connection, or that libpq can't find in an empty root directory. */
static int complete(struct target *t, const PQconninfoOption *env, struct err *err)
{
    static const char *const wanted[] = { "host",
                                          "port",
                                          "user",
                                          "dbname",
                                          "options",
                                          "connect_timeout",
                                          "keepalives_idle",
                                          "keepalives_interval",
                                          "keepalives_count",
                                          NULL };

    for (size_t i = 0; wanted[i] != NULL; i++)
        if (copy_effective(t, env, wanted[i], err) < 0)
            return -1;
    if (put_unless_given(t, "port", DEFAULT_PORT, err) < 0 || complete_port(t, err) < 0)
        return -1;
    if (target_get(t, "user") == NULL || *target_get(t, "user") == '\0') {
        err_set(err, ERR_CONFIG, "no database user: the URL and PGUSER name none, and user id %ld has no name here",
                (long)geteuid());
        err_hint(err, "put it into the URL, postgresql://USER@HOST/DATABASE, or set PGUSER");
        return -1;
    }
    if (target_get(t, "dbname") == NULL || *target_get(t, "dbname") == '\0') {
        err_set(err, ERR_CONFIG, "no database: neither the URL nor PGDATABASE names one");
        err_hint(err, "put it at the end of the URL, postgresql://USER@HOST/DATABASE, or set PGDATABASE");
        return -1;
    }
    if (*target_host(t) == '\0' && option_value(env, "hostaddr") == NULL &&
        target_put(t, "host", socket_directory(target_port(t)), err) < 0)
        return -1;

    /* A firewall that forgets a quiet connection must not end a dump that spends an hour on one index. */
    if (put_unless_given(t, "connect_timeout", "15", err) < 0 ||
        put_unless_given(t, "keepalives_idle", "60", err) < 0 ||
        put_unless_given(t, "keepalives_interval", "10", err) < 0 ||
        put_unless_given(t, "keepalives_count", "6", err) < 0)
        return -1;
    return complete_trust(t, env, err);
}

struct target *target_parse(const char *url, struct err *err)
{
    struct target *t = calloc(1, sizeof *t);
    PQconninfoOption *parsed = NULL, *env = NULL;
    char *normal = NULL, *message = NULL;
    int rc = -1;

    if (t == NULL) {
        err_no_memory(err);
        goto out;
    }
    normal = normal_url(url, err);
    if (normal == NULL || check_url(normal, err) < 0)
        goto out;
    env = surroundings(NULL);
    parsed = PQconninfoParse(normal, &message);
    if (parsed == NULL) {
        not_understood(message != NULL ? message : "no memory", env, err);
        goto out;
    }
    for (const PQconninfoOption *o = parsed; o->keyword != NULL; o++)
        if (o->val != NULL && strcmp(o->keyword, "client_encoding") != 0 && /* ours to choose */
            target_put(t, o->keyword, o->val, err) < 0)
            goto out;
    if (target_get(t, "service") != NULL) {
        PQconninfoFree(env);
        env = surroundings(target_get(t, "service"));
    }
    rc = complete(t, env, err);
out:
    PQconninfoFree(parsed);
    PQconninfoFree(env);
    PQfreemem(message);
    wipe_string(normal);
    if (rc == 0)
        return t;
    target_free(t);
    return NULL;
}

struct target *target_with_database(const struct target *t, const char *database, struct err *err)
{
    struct target *copy = calloc(1, sizeof *copy);

    if (copy == NULL) {
        err_no_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < t->n; i++)
        if (target_put(copy, t->pairs[i].keyword, t->pairs[i].value, err) < 0)
            goto fail;
    if (target_put(copy, "dbname", database, err) < 0)
        goto fail;
    return copy;
fail:
    target_free(copy);
    return NULL;
}

int target_set_encoding(struct target *t, const char *encoding, struct err *err)
{
    return target_put(t, "client_encoding", encoding, err);
}

/* ---- asking -------------------------------------------------------------------------------------------------- */

const char *target_database(const struct target *t)
{
    return target_get(t, "dbname");
}

const char *target_host(const struct target *t)
{
    const char *host = target_get(t, "host");

    if (host == NULL || *host == '\0')
        host = target_get(t, "hostaddr");
    return host != NULL ? host : "";
}

const char *target_port(const struct target *t)
{
    return target_get(t, "port");
}

const char *target_user(const struct target *t)
{
    return target_get(t, "user");
}

bool target_is_local_socket(const struct target *t)
{
    return target_host(t)[0] == '/' || target_host(t)[0] == '@';
}

static void put_encoded(struct buf *out, const char *text, const char *also)
{
    for (; *text != '\0'; text++)
        if (isalnum((unsigned char)*text) || (unsigned char)*text >= 0x80 || strchr(also, *text) != NULL)
            buf_putc(out, *text);
        else
            buf_printf(out, "%%%02X", (unsigned char)*text);
}

/* Hosts may be a list, and so may ports; one port serves all hosts. */
static void put_hosts(struct buf *out, const char *host, const char *port)
{
    bool many_ports = strchr(port, ',') != NULL;

    for (;;) {
        size_t n = strcspn(host, ","), digits = strcspn(port, ",");
        bool v6 = memchr(host, ':', n) != NULL;
        buf_printf(out, "%s%.*s%s:%.*s", v6 ? "[" : "", (int)n, host, v6 ? "]" : "", (int)digits, port);
        if (host[n] == '\0')
            return;
        buf_putc(out, ',');
        host += n + 1;
        if (many_ports && port[digits] == ',')
            port += digits + 1;
    }
}

void target_describe(const struct target *t, struct buf *out)
{
    buf_puts(out, "postgresql://");
    if (!target_is_local_socket(t))
        put_hosts(out, target_host(t), target_port(t));
    buf_putc(out, '/');
    put_encoded(out, target_database(t), "-_.~");
    if (target_is_local_socket(t)) {
        buf_puts(out, "?host=");
        put_encoded(out, target_host(t), "-_.~/@");
        buf_printf(out, "&port=%s", target_port(t));
    }
}

/* ---- connection strings -------------------------------------------------------------------------------------- */

static bool is_secret(const char *keyword)
{
    return strcmp(keyword, "password") == 0 || strcmp(keyword, "sslpassword") == 0 ||
           strcmp(keyword, "oauth_client_secret") == 0;
}

/* A value in quotes, in which quotes and backslashes are escaped. */
static void put_quoted(struct buf *out, const char *const *parts, size_t n)
{
    buf_putc(out, '\'');
    for (size_t i = 0; i < n; i++)
        for (const char *c = parts[i]; *c != '\0'; c++)
            buf_printf(out, *c == '\'' || *c == '\\' ? "\\%c" : "%c", *c);
    buf_putc(out, '\'');
}

static char *conninfo(const struct target *t, const char *session_options, bool secrets, struct err *err)
{
    struct buf out;

    buf_init(&out, MAX_CONNINFO);
    buf_reserve(&out, 8192); /* at once: a buffer that moves leaves the password where it was */
    for (size_t i = 0; i < t->n; i++) {
        const struct pair *p = &t->pairs[i];
        if ((!secrets && is_secret(p->keyword)) || strcmp(p->keyword, "options") == 0)
            continue;
        buf_printf(&out, "%s=", p->keyword);
        put_quoted(&out, (const char *const *)&p->value, 1);
        buf_putc(&out, ' ');
    }
    if (session_options != NULL || target_get(t, "options") != NULL) { /* of two that set the same the last one wins */
        const char *own = target_get(t, "options");
        const char *const parts[] = { own != NULL ? own : "", " ", session_options != NULL ? session_options : "" };
        buf_puts(&out, "options=");
        put_quoted(&out, parts, 3);
    }
    return buf_take(&out, err);
}

char *target_conninfo(const struct target *t, const char *session_options, struct err *err)
{
    return conninfo(t, session_options, true, err);
}

char *target_conninfo_public(const struct target *t, const char *session_options, struct err *err)
{
    return conninfo(t, session_options, false, err);
}
