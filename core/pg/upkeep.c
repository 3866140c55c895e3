/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/upkeep.h"

#include "core/pg/crew.h"
#include "core/pg/restore.h"

#define SMALL "1048576" /* bytes */
#define AT_ONCE "64"
#define FILLED_CATALOG "1048576" /* a database without anything has smaller ones */

static int run_one(PGconn *c, size_t i, void *cookie, struct err *err)
{
    const PGresult *statements = cookie;

    return conn_exec(c, ERR_RESTORE, err, PQgetvalue(statements, (int)i, 0));
}

/* sql: a query whose rows are statements. */
static int run_all(const struct target *t, const char *sql, unsigned jobs, size_t *done, struct err *err)
{
    PGconn *c = conn_open(t, NULL, err);
    PGresult *r = NULL;
    int rc = -1;

    if (c == NULL)
        return -1;
    r = conn_query(c, ERR_RESTORE, err, sql, 0, NULL);
    conn_close(c);
    if (r == NULL)
        return -1;
    rc = crew_run(t, restore_session(0), jobs, (size_t)PQntuples(r), run_one, r, err);
    if (rc == 0 && done != NULL)
        *done = (size_t)PQntuples(r);
    PQclear(r);
    return rc;
}

/* Small tables are analyzed when they are vacuumed, in one go. A partitioned table brings its partitions along. */
int upkeep_analyze(const struct target *t, unsigned jobs, struct err *err)
{
    return run_all(t,
                   "SELECT pg_catalog.format('ANALYZE %I.%I', n.nspname, c.relname)"
                   " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                   " WHERE (c.relkind = 'p' OR c.relkind IN ('r', 'm') AND pg_catalog.pg_relation_size(c.oid) >= " SMALL
                   ")"
                   " AND NOT c.relispartition AND c.relpersistence <> 't'"
                   " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
                   " ORDER BY c.relkind = 'p' DESC, pg_catalog.pg_relation_size(c.oid) DESC",
                   jobs, NULL, err);
}

int upkeep_rebuild_indexes(const struct target *t, unsigned jobs, size_t *rebuilt, struct err *err)
{
    return run_all(t,
                   "SELECT pg_catalog.format('REINDEX INDEX %I.%I', n.nspname, c.relname)"
                   " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
                   " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                   " WHERE c.relkind = 'i' AND NOT (i.indisvalid AND i.indisready)"
                   " ORDER BY pg_catalog.pg_relation_size(i.indrelid) DESC",
                   jobs, rebuilt, err);
}

/* Many small tables go into one statement: at the end of each, VACUUM looks at every table that there is. Of the catalogs
 * those count that making many objects has filled. */
int upkeep_vacuum(const struct target *t, unsigned jobs, struct err *err)
{
    return run_all(
        t,
        "WITH tables AS (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,"
        "  pg_catalog.pg_relation_size(c.oid) AS size, n.nspname = 'pg_catalog' AS catalog,"
        "  c.relispartition AS partition"
        "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        "  WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND NOT c.relisshared"
        "  AND n.nspname NOT IN ('information_schema', 'pg_toast')),"
        " grouped AS (SELECT name, size, catalog, partition,"
        "  CASE WHEN size < " SMALL " AND NOT catalog THEN (pg_catalog.row_number() OVER small - 1) / " AT_ONCE
        "  ELSE -pg_catalog.row_number() OVER small END AS batch"
        "  FROM tables WHERE NOT catalog OR size >= " FILLED_CATALOG
        "  WINDOW small AS (PARTITION BY partition, catalog, size < " SMALL " ORDER BY name))"
        " SELECT CASE WHEN catalog OR size < " SMALL " AND NOT partition THEN 'VACUUM (ANALYZE) ' ELSE 'VACUUM '"
        "  END || pg_catalog.string_agg(name, ', ')"
        " FROM grouped GROUP BY partition, catalog, size < " SMALL ", batch, catalog OR size < " SMALL
        "  AND NOT partition ORDER BY pg_catalog.sum(size) DESC",
        jobs, NULL, err);
}
