/* SPDX-License-Identifier: PostgreSQL */
/* database_facts.c - what a database is like: asked of the server, or read out of an archive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/pg/database.h"
#include "core/pg/sqltext.h"

#define MAX_ACT (256 * 1024)

void database_release(struct database *d)
{
    char *strings[] = { d->name,          d->oid,         d->owner,        d->shape.encoding,  d->shape.provider,
                        d->shape.collate, d->shape.ctype, d->shape.locale, d->shape.icu_rules, d->shape.tablespace };

    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        free(strings[i]);
    for (size_t i = 0; i < d->n_acts; i++) {
        free(d->acts[i].before);
        free(d->acts[i].after);
    }
    free(d->acts);
    memset(d, 0, sizeof *d);
}

static int keep(char **where, const char *value, struct err *err)
{
    char *copy = strdup(value);

    if (copy == NULL)
        return err_no_memory(err);
    free(*where);
    *where = copy;
    return 0;
}

/* Takes both buffers' text; they are empty again afterwards. */
static int add_act(struct database *d, struct buf *before, struct buf *after, struct err *err)
{
    struct database_act *acts, act = { NULL, NULL };

    act.before = buf_take(before, err);
    act.after = buf_take(after, err);
    acts = realloc(d->acts, (d->n_acts + 1) * sizeof *acts);
    if (acts != NULL)
        d->acts = acts;
    if (act.before == NULL || act.after == NULL || acts == NULL) {
        free(act.before);
        free(act.after);
        return acts == NULL ? err_no_memory(err) : -1;
    }
    d->acts[d->n_acts++] = act;
    buf_init(before, MAX_ACT);
    buf_init(after, MAX_ACT);
    return 0;
}

/* ---- from the server ------------------------------------------------------------------------------------------- */

static int capture_row(PGconn *c, struct database *d, struct err *err)
{
    int version = PQserverVersion(c);
    const char *params[] = { d->name };
    struct buf sql;
    PGresult *r = NULL;
    int rc = -1;

    buf_init(&sql, 8192);
    buf_printf(&sql,
               "SELECT d.oid, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding),"
               " d.datcollate, d.datctype, t.spcname, d.datallowconn, d.datistemplate, d.datconnlimit,"
               " CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') THEN pg_catalog.pg_database_size(d.oid)"
               " ELSE 0 END, %s, %s, %s"
               " FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace"
               " WHERE d.datname = $1",
               version >= 150000 ? "CASE d.datlocprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END"
                                 : "'libc'",
               version >= 170000   ? "d.datlocale"
               : version >= 150000 ? "d.daticulocale"
                                   : "NULL",
               version >= 160000 ? "d.daticurules" : "NULL");
    r = conn_query(c, ERR_RESTORE, err, sql.data, 1, params);
    if (r == NULL)
        goto out;
    d->exists = PQntuples(r) > 0;
    if (d->exists) {
        char **members[] = { &d->oid,           &d->owner,       &d->shape.encoding,
                             &d->shape.collate, &d->shape.ctype, &d->shape.tablespace };

        for (int i = 0; i < 6; i++)
            if (keep(members[i], PQgetvalue(r, 0, i), err) < 0)
                goto out;
        d->allow_connections = *PQgetvalue(r, 0, 6) == 't';
        d->is_template = *PQgetvalue(r, 0, 7) == 't';
        d->connection_limit = (int)strtol(PQgetvalue(r, 0, 8), NULL, 10);
        d->size = strtoull(PQgetvalue(r, 0, 9), NULL, 10);
        if (keep(&d->shape.provider, PQgetvalue(r, 0, 10), err) < 0 ||
            keep(&d->shape.locale, PQgetvalue(r, 0, 11), err) < 0 ||
            keep(&d->shape.icu_rules, PQgetvalue(r, 0, 12), err) < 0)
            goto out;
    }
    rc = 0;
out:
    PQclear(r);
    buf_release(&sql);
    return rc;
}

/* Settings that are lists of names: the catalog has them quoted as names already, and SET wants each on its own. */
static bool is_list(const char *name)
{
    static const char *const lists[] = { "local_preload_libraries",  "search_path",      "session_preload_libraries",
                                         "shared_preload_libraries", "temp_tablespaces", "unix_socket_directories" };

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (strcasecmp(name, lists[i]) == 0)
            return true;
    return false;
}

/* '"$user", public' becomes '$user', 'public' */
static int put_list(struct buf *sql, const char *value, struct err *err)
{
    struct sql_reader r = sql_reader(value, strlen(value));
    struct sql_token t;
    bool any = false;

    while (sql_next(&r, &t) != SQL_END) {
        char *name = sql_name(&t);

        if (name != NULL) {
            buf_puts(sql, any ? ", " : "");
            conn_quote_text(sql, name);
            any = true;
        } else if (!sql_is_sign(&t, ',')) {
            return err_set(err, ERR_RESTORE, "can't read the list of names %s", value);
        }
        free(name);
    }
    if (!any)
        buf_puts(sql, "''");
    return 0;
}

/* config: "name=value" as pg_db_role_setting has it; role "": of everybody */
static int add_setting(struct database *d, const char *role, const char *config, struct err *err)
{
    const char *equals = strchr(config, '=');
    char *name = strndup(config, equals != NULL ? (size_t)(equals - config) : 0);
    struct buf before, after;
    int rc = -1;

    buf_init(&before, MAX_ACT);
    buf_init(&after, MAX_ACT);
    if (name == NULL || equals == NULL) {
        err_set(err, ERR_INTERNAL, "can't take the setting %s apart", config);
        goto out;
    }
    if (*role == '\0') {
        buf_puts(&before, "ALTER DATABASE ");
    } else {
        buf_puts(&before, "ALTER ROLE ");
        conn_quote_name(&before, role);
        buf_puts(&before, " IN DATABASE ");
    }
    buf_puts(&after, " SET ");
    conn_quote_name(&after, name);
    buf_puts(&after, " TO ");
    if (!is_list(name))
        conn_quote_text(&after, equals + 1);
    else if (put_list(&after, equals + 1, err) < 0)
        goto out;
    rc = add_act(d, &before, &after, err);
out:
    buf_release(&before);
    buf_release(&after);
    free(name);
    return rc;
}

static int capture_settings(PGconn *c, struct database *d, struct err *err)
{
    const char *params[] = { d->oid };
    PGresult *r = conn_query(c, ERR_RESTORE, err,
                             "SELECT coalesce(a.rolname, ''), u.config FROM pg_catalog.pg_db_role_setting s"
                             " LEFT JOIN pg_catalog.pg_roles a ON a.oid = s.setrole, unnest(s.setconfig) AS u (config)"
                             " WHERE s.setdatabase = $1::pg_catalog.oid AND (s.setrole = 0 OR a.oid IS NOT NULL)",
                             1, params);
    int rc = r != NULL ? 0 : -1;

    for (int i = 0; rc == 0 && i < PQntuples(r); i++)
        rc = add_setting(d, PQgetvalue(r, i, 0), PQgetvalue(r, i, 1), err);
    PQclear(r);
    return rc;
}

static int capture_comment(PGconn *c, struct database *d, struct err *err)
{
    const char *params[] = { d->oid };
    PGresult *r = conn_query(c, ERR_RESTORE, err,
                             "SELECT pg_catalog.shobj_description($1::pg_catalog.oid, 'pg_database')", 1, params);
    struct buf before, after;
    int rc = -1;

    buf_init(&before, MAX_ACT);
    buf_init(&after, MAX_ACT);
    if (r == NULL)
        goto out;
    rc = 0;
    if (PQgetisnull(r, 0, 0))
        goto out;
    buf_puts(&before, "COMMENT ON DATABASE ");
    buf_puts(&after, " IS ");
    conn_quote_text(&after, PQgetvalue(r, 0, 0));
    rc = add_act(d, &before, &after, err);
out:
    PQclear(r);
    buf_release(&before);
    buf_release(&after);
    return rc;
}

/* role NULL: PUBLIC */
static int add_grant(struct database *d, const char *verb, const char *privilege, const char *role, bool with_option,
                     struct err *err)
{
    bool revoke = strcmp(verb, "REVOKE") == 0;
    struct buf before, after;
    int rc;

    buf_init(&before, MAX_ACT);
    buf_init(&after, MAX_ACT);
    buf_printf(&before, "%s %s ON DATABASE ", verb, privilege);
    buf_puts(&after, revoke ? " FROM " : " TO ");
    if (role == NULL)
        buf_puts(&after, "PUBLIC");
    else
        conn_quote_name(&after, role);
    if (with_option)
        buf_puts(&after, " WITH GRANT OPTION");
    rc = add_act(d, &before, &after, err);
    buf_release(&before);
    buf_release(&after);
    return rc;
}

static int capture_grants(PGconn *c, struct database *d, struct err *err)
{
    const char *params[] = { d->oid };
    PGresult *r = conn_query(c, ERR_RESTORE, err,
                             "SELECT a.privilege_type, g.rolname, a.is_grantable FROM pg_catalog.pg_database d,"
                             " pg_catalog.aclexplode(d.datacl) a LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee"
                             " WHERE d.oid = $1::pg_catalog.oid AND (a.grantee = 0 OR g.oid IS NOT NULL)",
                             1, params);
    char *has_acl = NULL;
    int rc = -1;

    if (r == NULL)
        goto out;
    has_acl = conn_value(c, ERR_RESTORE, err,
                         "SELECT datacl IS NOT NULL FROM pg_catalog.pg_database WHERE oid = $1::pg_catalog.oid", 1,
                         params);
    if (has_acl == NULL)
        goto out;
    rc = 0;
    if (*has_acl != 't')
        goto out;
    rc = add_grant(d, "REVOKE", "ALL", NULL, false, err) < 0 || add_grant(d, "REVOKE", "ALL", d->owner, false, err) < 0
           ? -1
           : 0;
    for (int i = 0; rc == 0 && i < PQntuples(r); i++)
        rc = add_grant(d, "GRANT", PQgetvalue(r, i, 0), PQgetisnull(r, i, 1) ? NULL : PQgetvalue(r, i, 1),
                       *PQgetvalue(r, i, 2) == 't', err);
out:
    PQclear(r);
    free(has_acl);
    return rc;
}

int database_capture(PGconn *c, const char *name, struct database *d, struct err *err)
{
    memset(d, 0, sizeof *d);
    d->connection_limit = -1;
    d->allow_connections = true;
    if (keep(&d->name, name, err) < 0 || capture_row(c, d, err) < 0)
        goto fail;
    if (d->exists &&
        (capture_settings(c, d, err) < 0 || capture_comment(c, d, err) < 0 || capture_grants(c, d, err) < 0))
        goto fail;
    return 0;
fail:
    database_release(d);
    return -1;
}

/* ---- from an archive ------------------------------------------------------------------------------------------- */

/* The value of one of CREATE DATABASE's options: a string, or a name. Caller frees. */
static char *option_value(const struct sql_token *t)
{
    char *value, *out;

    if (t->kind != SQL_STRING)
        return sql_name(t);
    if (*t->text != '\'' || (value = out = malloc(t->size + 1)) == NULL)
        return NULL;
    for (size_t i = 1; i + 1 < t->size; i++) {
        *out++ = t->text[i];
        if (t->text[i] == '\'') /* doubled */
            i++;
    }
    *out = '\0';
    return value;
}

/* CREATE DATABASE name WITH TEMPLATE = template0 ENCODING = 'UTF8' ... */
static int read_shape(const char *sql, struct database_shape *s, struct err *err)
{
    const struct {
        const char *option;
        char **first, **second;
    } known[] = {
        { "ENCODING", &s->encoding, NULL },     { "LOCALE_PROVIDER", &s->provider, NULL },
        { "LOCALE", &s->collate, &s->ctype },   { "LC_COLLATE", &s->collate, NULL },
        { "LC_CTYPE", &s->ctype, NULL },        { "ICU_LOCALE", &s->locale, NULL },
        { "BUILTIN_LOCALE", &s->locale, NULL }, { "ICU_RULES", &s->icu_rules, NULL },
        { "TABLESPACE", &s->tablespace, NULL },
    };
    struct sql_reader r = sql_reader(sql, strlen(sql));
    struct sql_token option, t;

    if (!sql_take(&r, "CREATE DATABASE") || sql_next(&r, &t) == SQL_END)
        return 0;
    while (sql_next(&r, &option) != SQL_END) {
        struct sql_reader ahead = r;

        if (option.kind != SQL_WORD || sql_next(&ahead, &t) != SQL_SIGN || *t.text != '=')
            continue;
        sql_next(&ahead, &t);
        r = ahead;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
            char *value = sql_is_word(&option, known[i].option) ? option_value(&t) : NULL;
            int rc = 0;

            if (value != NULL)
                rc = keep(known[i].first, value, err) < 0 ||
                             (known[i].second != NULL && keep(known[i].second, value, err) < 0)
                       ? -1
                       : 0;
            free(value);
            if (rc < 0)
                return -1;
        }
    }
    return 0;
}

/* One statement about the database, cut where its name stands: where `DATABASE NAME` comes, outside of strings. Only
 * what begins like one of pg_dump's. A template could never be replaced by a restore again, so that is left out. */
static int read_act(struct sql_reader statement, const char *name, struct database *d, struct err *err)
{
    static const char *const beginnings[] = { "ALTER DATABASE", "ALTER ROLE", "COMMENT ON DATABASE",
                                              "GRANT",          "REVOKE",     "SECURITY LABEL" };
    struct sql_reader r = statement;
    struct sql_token t;
    struct buf before, after;
    bool ours = false;
    char *found;
    int rc = 0;

    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        ours = ours || sql_take(&(struct sql_reader){ statement.at, statement.end }, beginnings[i]);
    while (ours && sql_next(&r, &t) != SQL_END && !sql_is_word(&t, "DATABASE"))
        ;
    if (!ours || sql_next(&r, &t) == SQL_END || (found = sql_name(&t)) == NULL)
        return 0;
    buf_init(&before, MAX_ACT);
    buf_init(&after, MAX_ACT);
    if (strcmp(found, name) == 0 && !sql_take(&(struct sql_reader){ r.at, r.end }, "IS_TEMPLATE")) {
        buf_add(&before, statement.at, (size_t)(t.text - statement.at));
        buf_add(&after, r.at, (size_t)(r.end - r.at));
        rc = add_act(d, &before, &after, err);
    }
    buf_release(&before);
    buf_release(&after);
    free(found);
    return rc;
}

static int read_acts(const char *sql, const char *name, struct database *d, struct err *err)
{
    struct sql_reader r = sql_reader(sql, strlen(sql)), statement;

    while (sql_statement(&r, &statement)) {
        if (read_act(statement, name, d, err) < 0)
            return -1;
    }
    return 0;
}

int database_from_archive(const struct archive *a, struct database *d, struct err *err)
{
    const char *name = a->database;

    memset(d, 0, sizeof *d);
    d->connection_limit = -1;
    d->allow_connections = true;
    for (size_t i = 0; i < a->n; i++) {
        const struct archive_entry *e = &a->entries[i];

        if (e->desc != NULL && strcmp(e->desc, "DATABASE") == 0 && e->defn != NULL && e->tag != NULL) {
            name = e->tag;
            if ((e->owner != NULL && *e->owner != '\0' && keep(&d->owner, e->owner, err) < 0) ||
                read_shape(e->defn, &d->shape, err) < 0)
                goto fail;
        }
    }
    for (size_t i = 0; name != NULL && i < a->n; i++) {
        const struct archive_entry *e = &a->entries[i];
        const char *desc = e->desc != NULL ? e->desc : "";
        bool about = strcmp(desc, "DATABASE PROPERTIES") == 0 ||
                     ((strcmp(desc, "COMMENT") == 0 || strcmp(desc, "ACL") == 0) && e->tag != NULL &&
                      text_starts(e->tag, "DATABASE "));

        if (about && e->defn != NULL && read_acts(e->defn, name, d, err) < 0)
            goto fail;
    }
    if (keep(&d->name, name != NULL ? name : "", err) < 0)
        goto fail;
    return 0;
fail:
    database_release(d);
    return -1;
}
