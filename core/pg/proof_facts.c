/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/proof_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    const struct proof_fact *x = a, *y = b;
    int order = strcmp(x->schema, y->schema);

    return order != 0 ? order : strcmp(x->name, y->name);
}

int proof_facts_read(PGconn *c, bool with_sizes, struct proof_facts *out, struct err *err)
{
    static const char columns[] =
        "SELECT n.nspname, c.relname, c.relkind, coalesce(x.condition, ''),"
        " EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
        "  AND d.objid = c.oid AND d.deptype = 'e'),";
    static const char sizes[] = " CASE c.relkind WHEN 'r' THEN pg_catalog.pg_table_size(c.oid) ELSE 0 END,"
                                " CASE c.relkind WHEN 'r' THEN pg_catalog.pg_relation_size(c.oid) /"
                                "  pg_catalog.current_setting('block_size')::int ELSE 0 END,";
    static const char no_sizes[] = " 0, 0,";
    static const char roots[] = " rn.nspname, rc.relname", no_roots[] = " NULL, NULL"; /* before 12 */
    static const char tables[] =
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN (SELECT unnest(extconfig) AS oid, unnest(extcondition) AS condition FROM pg_catalog.pg_extension) x"
        "  ON x.oid = c.oid";
    static const char join_roots[] =
        " LEFT JOIN pg_catalog.pg_class rc ON c.relispartition AND rc.oid = pg_catalog.pg_partition_root(c.oid)"
        " LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace";
    static const char which[] = " WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'"
                                " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')";
    bool has_roots = PQserverVersion(c) >= 120000;
    char sql[2048];
    PGresult *r;

    snprintf(sql, sizeof sql, "%s%s%s%s%s%s", columns, with_sizes ? sizes : no_sizes, has_roots ? roots : no_roots,
             tables, has_roots ? join_roots : "", which);
    r = conn_query(c, ERR_RESTORE, err, sql, 0, NULL);
    memset(out, 0, sizeof *out);
    if (r == NULL)
        return -1;
    out->result = r;
    out->n = (size_t)PQntuples(r);
    out->items = calloc(out->n + 1, sizeof *out->items);
    if (out->items == NULL) {
        proof_facts_release(out);
        return err_no_memory(err);
    }
    for (int i = 0; i < PQntuples(r); i++)
        out->items[i] = (struct proof_fact){
            .schema = PQgetvalue(r, i, 0),
            .name = PQgetvalue(r, i, 1),
            .kind = *PQgetvalue(r, i, 2),
            .condition = PQgetvalue(r, i, 3),
            .of_extension = *PQgetvalue(r, i, 4) == 't',
            .bytes = strtoull(PQgetvalue(r, i, 5), NULL, 10),
            .pages = strtoull(PQgetvalue(r, i, 6), NULL, 10),
            .root_schema = PQgetvalue(r, i, 7),
            .root_name = PQgetvalue(r, i, 8),
        };
    qsort(out->items, out->n, sizeof *out->items, compare);
    return 0;
}

void proof_facts_release(struct proof_facts *f)
{
    PQclear(f->result);
    free(f->items);
    memset(f, 0, sizeof *f);
}

struct proof_fact *proof_facts_find(const struct proof_facts *f, const char *schema, const char *name)
{
    struct proof_fact key = { .schema = schema, .name = name };

    return bsearch(&key, f->items, f->n, sizeof *f->items, compare);
}

int proof_facts_varies(PGconn *c, const char *schema, const char *name, bool *varies, struct err *err)
{
    static const char sql[] =
        "WITH RECURSIVE types (oid) AS ("
        " SELECT a.atttypid FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
        "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        "  WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped"
        " UNION SELECT inner_types.oid FROM types JOIN pg_catalog.pg_type t ON t.oid = types.oid,"
        "  LATERAL (SELECT t.typelem AS oid UNION ALL SELECT t.typbasetype UNION ALL"
        "  SELECT a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0) inner_types"
        "  WHERE inner_types.oid <> 0)"
        " SELECT EXISTS (SELECT FROM types JOIN pg_catalog.pg_type t ON t.oid = types.oid"
        " WHERE t.typname IN ('timestamptz', 'tstzrange', 'tstzmultirange', 'money', 'bytea')"
        " OR (t.typtype IN ('b', 'r', 'm') AND t.typelem = 0"
        "  AND t.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace))";
    const char *params[] = { schema, name };
    char *value = conn_value(c, ERR_RESTORE, err, sql, 2, params);

    *varies = value != NULL && *value == 't';
    free(value);
    return value != NULL ? 0 : -1;
}
