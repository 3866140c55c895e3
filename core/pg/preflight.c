/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/preflight.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/text.h"

static const char *value(const PGresult *r, int column)
{
    return PQgetvalue(r, 0, column);
}

static uint64_t number(const PGresult *r, int column)
{
    uint64_t n = 0;

    return text_parse_u64(value(r, column), &n) ? n : 0;
}

/* The locale provider came with 15, its locale was renamed with 17. pg_table_size would wait for a table that somebody
 * has locked, and for longer than pg_dump is allowed to; of such a table the last known size will do. */
static const char *database_query(int server_version)
{
#define DATABASE_QUERY(provider, locale)                                                                  \
    "SELECT d.datname, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding)," \
    " d.datcollate, d.datctype, " provider ", " locale ", pg_catalog.current_setting('lc_monetary'),"     \
    " pg_catalog.current_setting('server_version'), pg_catalog.pg_database_size(d.oid),"                  \
    " (SELECT COALESCE(pg_catalog.sum(CASE WHEN c.oid IN (SELECT l.relation FROM pg_catalog.pg_locks l"   \
    "     WHERE l.mode = 'AccessExclusiveLock' AND l.database = d.oid AND l.relation IS NOT NULL)"        \
    "   THEN c.relpages * pg_catalog.current_setting('block_size')::pg_catalog.int8"                      \
    "   ELSE pg_catalog.pg_table_size(c.oid) END), 0) FROM pg_catalog.pg_class c"                         \
    "   WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND (c.relnamespace NOT IN"             \
    "   (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema'))"  \
    "   OR c.oid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass)),"                                   \
    " pg_catalog.pg_backend_pid(), d.datallowconn"                                                        \
    " FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()"
    if (server_version >= 170000)
        return DATABASE_QUERY("d.datlocprovider", "COALESCE(d.datlocale, '')");
    if (server_version >= 150000)
        return DATABASE_QUERY("d.datlocprovider", "COALESCE(d.daticulocale, '')");
    return DATABASE_QUERY("'c'", "''");
#undef DATABASE_QUERY
}

static int read_extensions(PGconn *c, struct preflight_facts *out, struct err *err)
{
    int n;

    out->extensions = conn_query(c, ERR_DUMP, err, "SELECT extname, extversion FROM pg_catalog.pg_extension ORDER BY 1",
                                 0, NULL);
    if (out->extensions == NULL)
        return -1;
    n = PQntuples(out->extensions);
    out->extension_pairs = calloc((size_t)n + 1, sizeof *out->extension_pairs);
    if (out->extension_pairs == NULL)
        return err_no_memory(err);
    for (int i = 0; i < n; i++) {
        out->extension_pairs[i][0] = PQgetvalue(out->extensions, i, 0);
        out->extension_pairs[i][1] = PQgetvalue(out->extensions, i, 1);
    }
    out->facts.extensions = out->extension_pairs;
    out->facts.n_extensions = (size_t)n;
    return 0;
}

int preflight_read(PGconn *c, struct preflight_facts *out, struct err *err)
{
    struct dump_facts *f = &out->facts;
    struct err ignored = { 0 };
    const PGresult *r;

    out->database = conn_query(c, ERR_DUMP, err, database_query(PQserverVersion(c)), 0, NULL);
    if (out->database == NULL)
        return -1;
    r = out->database;
    f->database = value(r, 0);
    f->owner = value(r, 1);
    f->encoding = value(r, 2);
    f->collate = value(r, 3);
    f->ctype = value(r, 4);
    f->locale_provider = value(r, 5);
    f->locale = value(r, 6);
    f->lc_monetary = value(r, 7);
    f->server_version = value(r, 8);
    f->server_version_num = PQserverVersion(c);
    f->database_size = number(r, 9);
    f->table_bytes = number(r, 10);
    f->lsn = "";
    if (number(r, 11) != (uint64_t)PQbackendPID(c))
        log_warn("the connection goes through a pooler: pg_dump needs a session of its own; "
                 "when it fails, use the server's direct address");

    /* Not for everybody to know: a managed service may refuse it. */
    out->identifier = conn_query(c, ERR_DUMP, &ignored, "SELECT system_identifier FROM pg_catalog.pg_control_system()",
                                 0, NULL);
    f->system_identifier = out->identifier != NULL ? value(out->identifier, 0) : "";
    return read_extensions(c, out, err);
}

int preflight_position(PGconn *c, struct preflight_facts *out, struct err *err)
{
    out->position = conn_query(c, ERR_DUMP, err,
                               "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN"
                               " pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END",
                               0, NULL);
    if (out->position == NULL)
        return -1;
    out->facts.lsn = value(out->position, 0);
    return 0;
}

void preflight_release(struct preflight_facts *f)
{
    PQclear(f->database);
    PQclear(f->extensions);
    PQclear(f->identifier);
    PQclear(f->position);
    free(f->extension_pairs);
    memset(f, 0, sizeof *f);
}

/* ---- privileges ------------------------------------------------------------------------------------------------ */

/* Members of extensions are not dumped (their configuration tables are, and those who made them can read them). */
#define DUMPED_RELATIONS                                                                                               \
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                             \
    " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'"                     \
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass" \
    "  AND d.objid = c.oid AND d.deptype = 'e')"

static const char unreadable_query[] =
    "SELECT pg_catalog.count(*) OVER (), pg_catalog.format('%I.%I', n.nspname, c.relname), CASE WHEN c.relkind = 'S'"
    " THEN 'sequence' ELSE 'table' END, pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(current_user)" DUMPED_RELATIONS
    " AND c.relkind IN ('r', 'p', 'S')"
    " AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND CASE WHEN c.relkind = 'S'"
    "  THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT') ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END)"
    " ORDER BY 2 LIMIT 1";

static const char hidden_query[] =
    "SELECT pg_catalog.count(*) OVER (), pg_catalog.format('%I.%I', n.nspname, c.relname),"
    " pg_catalog.quote_ident(current_user)" DUMPED_RELATIONS
    " AND c.relkind IN ('r', 'p') AND pg_catalog.row_security_active(c.oid) ORDER BY 2 LIMIT 1";

static void unreadable_error(const PGresult *r, int server_version, struct err *err)
{
    uint64_t others = number(r, 0) - 1;

    if (others == 0)
        err_set(err, ERR_DUMP, "%s may not read %s %s", value(r, 4), value(r, 2), value(r, 1));
    else
        err_set(err, ERR_DUMP, "%s may not read %s %s and %llu more", value(r, 4), value(r, 2), value(r, 1),
                (unsigned long long)others);
    if (server_version >= 140000)
        err_hint(err, "as an administrator of that server: GRANT pg_read_all_data TO %s;", value(r, 4));
    else
        err_hint(err,
                 "as the owner: GRANT USAGE ON SCHEMA %s TO %s; GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %s; "
                 "GRANT SELECT ON ALL SEQUENCES IN SCHEMA %s TO %s;",
                 value(r, 3), value(r, 4), value(r, 3), value(r, 4), value(r, 3), value(r, 4));
}

int preflight_privileges(PGconn *c, struct err *err)
{
    PGresult *unreadable = NULL, *hidden = NULL;
    int rc = -1;

    unreadable = conn_query(c, ERR_DUMP, err, unreadable_query, 0, NULL);
    if (unreadable == NULL)
        goto out;
    if (PQntuples(unreadable) > 0) {
        unreadable_error(unreadable, PQserverVersion(c), err);
        goto out;
    }
    /* pg_dump turns row_security off, so that a policy is an error instead of a silent gap. Asked the same way here. */
    hidden = conn_query(c, ERR_DUMP, err, hidden_query, 0, NULL);
    if (hidden == NULL)
        goto out;
    if (PQntuples(hidden) > 0) {
        err_set(err, ERR_DUMP, "row security hides rows of %s from %s", value(hidden, 1), value(hidden, 2));
        err_hint(err, "as an administrator of that server: ALTER ROLE %s BYPASSRLS;", value(hidden, 2));
        goto out;
    }
    rc = 0;
out:
    PQclear(unreadable);
    PQclear(hidden);
    return rc;
}
