/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/pg/sqltext.h"

#define MAX_SQL (4 * 1024 * 1024)

/* ---- roles that SQL speaks of ------------------------------------------------------------------------------------ */

static int add_role(const struct sql_token *t, struct names *out, struct err *err)
{
    static const char *const keywords[] = { "public", "current_user", "session_user", "current_role" };
    char *name;
    int rc = 0;

    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        if (sql_is_word(t, keywords[i]))
            return 0;
    name = sql_name(t);
    if (name != NULL)
        rc = names_add(out, name, err);
    free(name);
    return rc;
}

/* "a, GROUP b, c", and what follows stays unread. */
static int add_list(struct sql_reader *r, struct names *out, struct err *err)
{
    struct sql_reader ahead;
    struct sql_token t;

    do {
        sql_take(r, "GROUP"); /* a reserved word: no role has it without quotes */
        if (sql_next(r, &t) != SQL_WORD && t.kind != SQL_NAME)
            return 0;
        if (add_role(&t, out, err) < 0)
            return -1;
        ahead = *r;
    } while (sql_next(&ahead, &t) == SQL_SIGN && *t.text == ',' && (*r = ahead, true));
    return 0;
}

/* Privileges end in TO or FROM and a list of roles; both words are reserved, so they are no names. */
static int roles_of_grant(struct sql_reader r, struct names *out, struct err *err)
{
    struct sql_token t;
    int depth = 0;

    while (sql_next(&r, &t) != SQL_END) {
        depth += sql_is_sign(&t, '(') ? 1 : sql_is_sign(&t, ')') ? -1 : 0;
        if (depth == 0 && (sql_is_word(&t, "TO") || sql_is_word(&t, "FROM"))) {
            if (add_list(&r, out, err) < 0)
                return -1;
            if (sql_take(&r, "GRANTED BY") || sql_take(&r, "WITH GRANT OPTION GRANTED BY"))
                return add_list(&r, out, err);
        }
    }
    return 0;
}

/* CREATE POLICY name ON table [AS ...] [FOR ...] [TO roles] [USING (...)] */
static int roles_of_policy(struct sql_reader r, struct names *out, struct err *err)
{
    struct sql_token t;

    while (sql_next(&r, &t) != SQL_END && !sql_is_sign(&t, '('))
        if (sql_is_word(&t, "TO"))
            return add_list(&r, out, err);
    return 0;
}

/* ALTER kind name OWNER TO role */
static int role_of_owner(struct sql_reader r, struct names *out, struct err *err)
{
    struct sql_token t;

    while (sql_next(&r, &t) != SQL_END)
        if (sql_is_word(&t, "OWNER") && sql_take(&r, "TO"))
            return add_list(&r, out, err);
    return 0;
}

static int roles_of_one(struct sql_reader r, struct names *out, struct err *err)
{
    if (sql_take(&r, "GRANT") || sql_take(&r, "REVOKE"))
        return roles_of_grant(r, out, err);
    if (sql_take(&r, "CREATE POLICY"))
        return roles_of_policy(r, out, err);
    if (sql_take(&r, "ALTER DEFAULT PRIVILEGES FOR ROLE") || sql_take(&r, "ALTER DEFAULT PRIVILEGES FOR USER"))
        return add_list(&r, out, err) < 0 ? -1 : roles_of_grant(r, out, err);
    if (sql_take(&r, "CREATE USER MAPPING FOR") || sql_take(&r, "SET SESSION AUTHORIZATION"))
        return sql_take(&r, "DEFAULT") ? 0 : add_list(&r, out, err);
    if (sql_take(&r, "ALTER"))
        return role_of_owner(r, out, err);
    return 0;
}

int roles_of_statement(const char *sql, size_t n, struct names *out, struct err *err)
{
    struct sql_reader r = sql_reader(sql, n), statement;

    while (sql_statement(&r, &statement)) {
        if (roles_of_one(statement, out, err) < 0)
            return -1;
    }
    return 0;
}

int roles_of_entry(const struct archive_entry *e, struct names *out, struct err *err)
{
    static const char *const kinds[] = { "ACL", "DEFAULT ACL", "POLICY", "USER MAPPING" };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (e->desc != NULL && e->defn != NULL && strcmp(e->desc, kinds[i]) == 0)
            return roles_of_statement(e->defn, strlen(e->defn), out, err);
    return 0;
}

/* Only of these does pg_restore set the owner; with all others it is the table's or nobody's. */
static bool has_owner(const struct archive_entry *e)
{
    static const char *const kinds[] = {
        "AGGREGATE",
        "BLOB",
        "BLOB METADATA",
        "COLLATION",
        "CONVERSION",
        "DOMAIN",
        "EVENT TRIGGER",
        "FOREIGN DATA WRAPPER",
        "FOREIGN TABLE",
        "FUNCTION",
        "MATERIALIZED VIEW",
        "OPERATOR",
        "OPERATOR CLASS",
        "OPERATOR FAMILY",
        "PROCEDURAL LANGUAGE",
        "PROCEDURE",
        "PUBLICATION",
        "SCHEMA",
        "SEQUENCE",
        "SERVER",
        "STATISTICS",
        "TABLE",
        "TEXT SEARCH CONFIGURATION",
        "TEXT SEARCH DICTIONARY",
        "TYPE",
        "VIEW",
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (e->desc != NULL && strcmp(e->desc, kinds[i]) == 0)
            return e->owner != NULL && *e->owner != '\0';
    return false;
}

static bool is_database(const struct archive_entry *e)
{
    return e->desc != NULL && strcmp(e->desc, "DATABASE") == 0 && e->owner != NULL && *e->owner != '\0';
}

int roles_of_archive(const struct archive *a, const bool *skip, struct names *owners, struct names *others,
                     struct err *err)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct archive_entry *e = &a->entries[i];

        if (skip[i])
            continue;
        if ((has_owner(e) && names_add(owners, e->owner, err) < 0) ||
            (is_database(e) && names_add(others, e->owner, err) < 0))
            return -1;
        if (roles_of_entry(e, others, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- what the server has ----------------------------------------------------------------------------------------- */

void roles_array(struct buf *out, const struct names *names)
{
    buf_putc(out, '{');
    for (size_t i = 0; i < names->n; i++) {
        buf_puts(out, i > 0 ? ",\"" : "\"");
        for (const char *at = names->items[i]; *at != '\0'; at++) {
            if (*at == '"' || *at == '\\')
                buf_putc(out, '\\');
            buf_putc(out, *at);
        }
        buf_putc(out, '"');
    }
    buf_putc(out, '}');
}

int roles_missing(PGconn *c, const struct names *needed, struct names *missing, struct err *err)
{
    struct buf array;
    PGresult *r = NULL;
    int rc = -1;

    buf_init(&array, MAX_SQL);
    roles_array(&array, needed);
    if (buf_check(&array, err) < 0)
        goto out;
    r = conn_query(c, ERR_RESTORE, err,
                   "SELECT n FROM unnest($1::text[]) AS u (n)"
                   " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = n)",
                   1, (const char *[]){ array.data });
    if (r == NULL)
        goto out;
    rc = 0;
    for (int i = 0; rc == 0 && i < PQntuples(r); i++)
        rc = names_add(missing, PQgetvalue(r, i, 0), err);
out:
    PQclear(r);
    buf_release(&array);
    return rc;
}

/* ---- making roles ------------------------------------------------------------------------------------------------ */

struct role_words { /* what the globals say of one role, as far as it is taken over */
    bool login, no_inherit;
    char limit[16];    /* CONNECTION LIMIT */
    const char *valid; /* a literal, or NULL */
    size_t valid_size;
    struct names powers; /* SUPERUSER and the like: not taken over */
};

static bool names_role(const struct sql_token *t, const char *role)
{
    char *name = sql_name(t);
    bool same = name != NULL && strcmp(name, role) == 0;

    free(name);
    return same;
}

/* What follows ALTER ROLE name WITH */
static int read_attributes(struct sql_reader r, struct role_words *w, struct err *err)
{
    static const char *const powers[] = { "SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS" };
    struct sql_token t;

    while (sql_next(&r, &t) != SQL_END) {
        for (size_t i = 0; i < sizeof powers / sizeof powers[0]; i++)
            if (sql_is_word(&t, powers[i]) && names_add(&w->powers, powers[i], err) < 0)
                return -1;
        if (sql_is_word(&t, "LOGIN"))
            w->login = true;
        else if (sql_is_word(&t, "NOINHERIT"))
            w->no_inherit = true;
        else if (sql_is_word(&t, "LIMIT") && sql_next(&r, &t) == SQL_WORD && t.size < sizeof w->limit)
            snprintf(w->limit, sizeof w->limit, "%.*s", (int)t.size, t.text);
        else if (sql_is_word(&t, "UNTIL") && sql_next(&r, &t) == SQL_STRING) {
            w->valid = t.text;
            w->valid_size = t.size;
        }
    }
    return 0;
}

static int read_globals(const char *globals, const char *role, struct role_words *w, struct err *err)
{
    struct sql_reader r = sql_reader(globals, strlen(globals)), statement;
    struct sql_token t;

    while (sql_statement(&r, &statement)) {
        if (sql_take(&statement, "ALTER ROLE") && sql_next(&statement, &t) != SQL_END && names_role(&t, role) &&
            sql_take(&statement, "WITH") && read_attributes(statement, w, err) < 0)
            return -1;
    }
    return 0;
}

static int note_powers(const char *role, const struct names *powers, struct names *weaker, struct err *err)
{
    struct buf line;
    int rc;

    if (powers->n == 0)
        return 0;
    buf_init(&line, 4096);
    buf_printf(&line, "%s (", role);
    names_list(&line, powers);
    buf_putc(&line, ')');
    rc = names_add(weaker, line.data, err);
    buf_release(&line);
    return rc;
}

static int exec_named(PGconn *c, const char *before, const char *name, const char *after, struct err *err)
{
    struct buf sql;
    int rc = -1;

    buf_init(&sql, MAX_SQL);
    buf_puts(&sql, before);
    conn_quote_name(&sql, name);
    buf_puts(&sql, after);
    if (buf_check(&sql, err) == 0)
        rc = conn_exec(c, ERR_RESTORE, err, sql.data);
    buf_release(&sql);
    return rc;
}

static int create_one(PGconn *c, const char *role, const struct role_words *w, bool logins, struct err *err)
{
    struct buf words;
    int rc;

    buf_init(&words, 4096);
    buf_puts(&words, logins && w->login ? " LOGIN" : " NOLOGIN");
    buf_puts(&words, w->no_inherit ? " NOINHERIT" : "");
    if (w->limit[0] != '\0')
        buf_printf(&words, " CONNECTION LIMIT %s", w->limit);
    if (w->valid != NULL) {
        buf_puts(&words, " VALID UNTIL ");
        buf_add(&words, w->valid, w->valid_size);
    }
    rc = exec_named(c, "CREATE ROLE ", role, words.data, err);
    buf_release(&words);
    return rc;
}

/* From 16 on, who makes a role administers it but is not yet one that may act as it. */
static void join(PGconn *c, const char *role)
{
    struct err ignored = { 0 };
    bool options = PQserverVersion(c) >= 160000;

    exec_named(c, "GRANT ", role, options ? " TO CURRENT_USER WITH INHERIT TRUE, SET TRUE" : " TO CURRENT_USER",
               &ignored);
}

/* Roles that were made are members of one another as they were in the globals; nobody else becomes a member. */
static int copy_memberships(PGconn *c, const char *globals, const struct names *made, struct err *err)
{
    struct sql_reader r = sql_reader(globals, strlen(globals)), statement;
    struct sql_token group, member;

    while (sql_statement(&r, &statement)) {
        char *g = NULL, *m = NULL;
        struct buf after;

        if (!sql_take(&statement, "GRANT") || sql_next(&statement, &group) == SQL_END || !sql_take(&statement, "TO") ||
            sql_next(&statement, &member) == SQL_END)
            continue;
        g = sql_name(&group);
        m = sql_name(&member);
        if (g != NULL && m != NULL && names_have(made, g) && names_have(made, m)) {
            struct err ignored = { 0 };

            buf_init(&after, 4096);
            buf_puts(&after, " TO ");
            conn_quote_name(&after, m);
            exec_named(c, "GRANT ", g, after.data, &ignored);
            buf_release(&after);
        }
        free(g);
        free(m);
    }
    return os_check_interrupt(err);
}

static bool is_superuser(PGconn *c)
{
    const char *value = PQparameterStatus(c, "is_superuser");

    return value != NULL && strcmp(value, "on") == 0;
}

int roles_create(PGconn *c, const struct names *missing, const struct roles_params *p, struct names *made,
                 struct names *refused, struct names *weaker, struct err *err)
{
    for (size_t i = 0; i < missing->n; i++) {
        const char *role = missing->items[i];
        struct role_words words = { 0 };
        struct err why = { 0 };
        int rc = -1;

        if (p->globals == NULL || read_globals(p->globals, role, &words, err) == 0) {
            if (create_one(c, role, &words, p->logins, &why) == 0) {
                if (!is_superuser(c))
                    join(c, role);
                rc = names_add(made, role, err) < 0 || note_powers(role, &words.powers, weaker, err) < 0 ? -1 : 0;
            } else if (os_check_interrupt(err) == 0 && PQstatus(c) == CONNECTION_OK) {
                log_debug("role %s: %s", role, why.message);
                rc = names_add(refused, role, err);
            } else {
                err_set(err, why.class, "%s", why.message);
            }
        }
        names_release(&words.powers);
        if (rc < 0)
            return -1;
    }
    return p->globals != NULL ? copy_memberships(c, p->globals, made, err) : 0;
}

void roles_drop(PGconn *c, const struct names *made)
{
    for (size_t i = 0; i < made->n; i++) {
        struct err ignored = { 0 };

        exec_named(c, "DROP ROLE IF EXISTS ", made->items[i], "", &ignored);
    }
}
