/* SPDX-License-Identifier: PostgreSQL */
/* retrieving_target.c - the database that gets some tables of a backup. */
#include <stdlib.h>
#include <string.h>

#include "core/backup/retrieving.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/pg/proof.h"

#define MAX_SQL 8192

static void put_name(struct buf *out, const char *schema, const char *name)
{
    conn_quote_name(out, schema);
    buf_putc(out, '.');
    conn_quote_name(out, name);
}

/* ---- what is there ----------------------------------------------------------------------------------------------- */

static int ask(struct retrieval *r, const char *sql, const char *name, bool *yes, struct err *err)
{
    char *answer = conn_value(r->c, ERR_RESTORE, err, sql, 1, &name);

    if (answer == NULL)
        return -1;
    *yes = *answer == 't';
    free(answer);
    return 0;
}

static int check_schema(struct retrieval *r, const struct excerpt_table *t, struct err *err)
{
    struct buf name;
    bool there;
    int rc;

    buf_init(&name, MAX_SQL);
    conn_quote_name(&name, t->schema);
    rc = ask(r, "SELECT pg_catalog.to_regnamespace($1) IS NOT NULL", name.data, &there, err);
    if (rc == 0 && !there) {
        rc = err_set(err, ERR_RESTORE, "there is no schema %s in database %s; nothing was changed", t->schema,
                     target_database(r->target));
        err_hint(err, "CREATE SCHEMA %s, then try again", name.data);
    }
    buf_release(&name);
    return rc;
}

static int check_table(struct retrieval *r, const struct excerpt_table *t, struct err *err)
{
    struct buf name;
    bool there;
    int rc;

    buf_init(&name, MAX_SQL);
    put_name(&name, t->schema, t->name);
    rc = ask(r, "SELECT pg_catalog.to_regclass($1) IS NOT NULL", name.data, &there, err);
    if (rc == 0 && there && !r->params.data_only) {
        rc = err_set(err, ERR_RESTORE, "%s.%s is in database %s already; nothing was changed", t->schema, t->name,
                     target_database(r->target));
        err_hint(err, "--data-only adds the backup's rows to it; --output FILE writes it as SQL; or restore it to "
                      "another database");
    } else if (rc == 0 && !there && r->params.data_only && t->rows != NULL) {
        rc = err_set(err, ERR_RESTORE, "there is no table %s.%s in database %s; nothing was changed", t->schema,
                     t->name, target_database(r->target));
        err_hint(err, "leave out --data-only, and it is created");
    }
    buf_release(&name);
    return rc;
}

static int check_tables(struct retrieval *r, struct err *err)
{
    for (size_t i = 0; i < r->excerpt.n; i++)
        if (check_table(r, &r->excerpt.tables[i], err) < 0 ||
            (!r->params.data_only && check_schema(r, &r->excerpt.tables[i], err) < 0))
            return -1;
    return 0;
}

/* ---- roles ------------------------------------------------------------------------------------------------------- */

/* Roles are not made for a table: what belonged to one that is missing goes to whoever restores. */
static int make_plan(struct retrieval *r, struct err *err)
{
    struct excerpt *x = &r->excerpt;
    bool *without = calloc(r->toc.n + 1, sizeof *without);
    int rc = -1;

    if (without == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < r->toc.n; i++)
        without[i] = x->parts[i] == EXCERPT_OUT;
    if (restore_plan_make_part(r->c, &r->toc, without, settings_get(r->params.settings, SETTING_PG_BINDIR), &r->plan,
                               err) < 0)
        goto out;
    r->has_plan = true;
    r->tool = r->plan.tool;
    if (restore_plan_settle(&r->plan, &r->plan.missing, err) < 0)
        goto out;
    for (size_t i = 0; i < r->toc.n; i++) {
        if (r->plan.skip[i])
            x->parts[i] = r->plan.mine[i] ? EXCERPT_AFTER : EXCERPT_OUT;
    }
    for (size_t i = 0; i < r->plan.losses.n; i++)
        log_warn("%s", r->plan.losses.items[i]);
    rc = 0;
out:
    free(without);
    return rc;
}

int retrieving_check_target(struct retrieval *r, struct err *err)
{
    r->c = conn_open(r->target, NULL, err);
    if (r->c == NULL || check_tables(r, err) < 0)
        return -1;
    return make_plan(r, err);
}

/* ---- afterwards -------------------------------------------------------------------------------------------------- */

/* The table is there whatever becomes of what ties it to others. */
static int make_the_rest(struct retrieval *r, struct err *err)
{
    size_t failures = 0;

    if (conn_exec(r->c, ERR_RESTORE, err, "SELECT pg_catalog.set_config('search_path', '', false)") < 0)
        return -1;
    for (size_t i = 0; i < r->toc.n; i++) {
        const struct archive_entry *e = &r->toc.entries[i];
        struct err why = { 0 };

        if (r->excerpt.parts[i] != EXCERPT_AFTER || e->defn == NULL || *e->defn == '\0')
            continue;
        if (conn_exec(r->c, ERR_RESTORE, &why, e->defn) == 0)
            continue;
        if (os_check_interrupt(err) < 0)
            return -1;
        log_warn("%s %s was not made: %s", e->desc, e->tag, why.message);
        failures++;
    }
    if (failures > 0)
        log_warn("the tables are there without that; the same with --output - shows the statements");
    return 0;
}

static void analyze(struct retrieval *r)
{
    for (size_t i = 0; i < r->excerpt.n; i++) {
        struct err ignored = { 0 }; /* the server does it by itself after a while */
        struct buf sql;

        buf_init(&sql, MAX_SQL);
        buf_puts(&sql, "ANALYZE ");
        put_name(&sql, r->excerpt.tables[i].schema, r->excerpt.tables[i].name);
        conn_exec(r->c, ERR_RESTORE, &ignored, sql.data);
        buf_release(&sql);
    }
}

static int add_proof(const struct retrieval *r, size_t i, struct archive_copy *copy, struct proof_table *out,
                     struct err *err)
{
    const struct excerpt_table *t = &r->excerpt.tables[i];

    if (archive_copy_parse(t->rows, copy, err) < 0)
        return -1;
    *out = (struct proof_table){ .schema = copy->schema,
                                 .name = copy->table,
                                 .columns = (const char *const *)copy->columns,
                                 .n_columns = copy->n,
                                 .expected = r->tallies[i] };
    return 0;
}

static int prove(struct retrieval *r, struct retrieval_result *result, struct err *err)
{
    struct proof_table *tables = calloc(r->excerpt.n + 1, sizeof *tables);
    struct archive_copy *copies = calloc(r->excerpt.n + 1, sizeof *copies);
    char *encoding = archive_encoding(&r->toc);
    struct proof_params p = {
        .target = r->target,
        .tables = tables,
        .encoding = encoding,
        .lc_monetary = r->manifest != NULL ? r->manifest->database.lc_monetary : NULL,
        .settings_unknown = r->manifest == NULL,
        .counts_only = r->params.counts_only,
        .partial = true,
        .jobs = r->params.jobs,
    };
    uint64_t rows;
    int rc = -1;

    if (tables == NULL || copies == NULL) {
        err_no_memory(err);
        goto out;
    }
    for (size_t i = 0; i < r->excerpt.n; i++) {
        const struct archive_entry *data = r->excerpt.tables[i].rows;

        if (data == NULL || !archive_is_copy(data))
            continue;
        if (add_proof(r, i, &copies[p.n], &tables[p.n], err) < 0)
            goto out;
        p.n++;
    }
    rc = p.n > 0 ? proof_run(&p, &rows, err) : 0;
    result->proven = rc == 0 && p.n > 0;
out:
    for (size_t i = 0; copies != NULL && i < p.n; i++)
        archive_copy_release(&copies[i]);
    free(copies);
    free(tables);
    free(encoding);
    return rc;
}

int retrieving_finish_target(struct retrieval *r, struct retrieval_result *result, struct err *err)
{
    if (r->params.data_only)
        return 0;
    if (make_the_rest(r, err) < 0)
        return -1;
    analyze(r);
    log_step("Verifying data integrity...");
    if (prove(r, result, err) < 0) {
        if (err->class == ERR_PROOF)
            err_hint(err, "the table is there; has somebody changed it meanwhile? Else drop it, and try again");
        return -1;
    }
    if (result->proven)
        log_step("✅ Data integrity verification successful");
    return 0;
}
