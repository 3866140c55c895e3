/* SPDX-License-Identifier: PostgreSQL */
/* restoring_fill.c - the new database: made, filled, kept up, compared. */
#include "core/backup/restoring.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/progress.h"
#include "core/base/text.h"
#include "core/pg/load.h"
#include "core/pg/ownership.h"
#include "core/pg/proof.h"
#include "core/pg/sqltext.h"
#include "core/pg/upkeep.h"

#define END_SECONDS 30

/* ---- made ---------------------------------------------------------------------------------------------------------- */

static struct restore_files files_of(const struct restoring *r, const struct source *s)
{
    return (struct restore_files){ .path = s->path, .fd = s->fd, .work_dir = r->p->work_dir };
}

/* Where the old one was: a tablespace is this server's affair, not the backup's. */
static struct database_shape shape_of(const struct restoring *r, const struct source *s)
{
    struct database_shape shape = s->like.shape;

    if (r->old.exists)
        shape.tablespace = r->old.shape.tablespace;
    else if (s->plan.no_tablespaces || s->checked->kind != KIND_CUSTOM)
        shape.tablespace = NULL;
    return shape;
}

/* The encoding of the archive's text: "SET client_encoding = 'UTF8';" is an entry of its own. Caller frees. */
static char *text_encoding(const struct source *s)
{
    const char *from_manifest = s->checked->manifest.database.encoding;
    char *said = s->has_toc ? archive_encoding(&s->toc) : NULL;

    return said != NULL ? said : strdup(from_manifest != NULL ? from_manifest : "");
}

/* Of an unknown encoding text is taken as it is. */
static int agree_on_encoding(struct restoring *r, const struct source *s, struct err *err)
{
    char *encoding = text_encoding(s);
    int rc;

    if (encoding == NULL)
        return err_no_memory(err);
    rc = target_set_encoding(r->filling, *encoding != '\0' ? encoding : "SQL_ASCII", err);
    free(encoding);
    return rc;
}

int restoring_create(struct restoring *r, struct source *s, struct err *err)
{
    struct restore_files files = files_of(r, s);
    struct database_shape shape = shape_of(r, s);

    if (agree_on_encoding(r, s, err) < 0 || database_create(r->admin, r->work, &shape, err) < 0 ||
        restoring_mark(r, err) < 0)
        return -1;
    if (!s->has_toc)
        return 0;
    if (restore_run(&s->plan, &files, r->filling, RESTORE_SCHEMA, 1, err) < 0)
        return -1;
    return restore_check_tables(&s->plan, r->filling, err);
}

int restoring_drop(struct restoring *r, struct err *err)
{
    return database_drop(r->admin, r->work, err);
}

/* ---- filled -------------------------------------------------------------------------------------------------------- */

static int run_script(struct restoring *r, struct source *s, struct err *err)
{
    int rc;

    progress_start("restoring", s->checked->size);
    rc = sqlscript_run(s->fd, s->path, &s->script, &s->psql, r->filling, restore_session(s->plan.server_version),
                       progress_add, err);
    progress_end();
    return rc;
}

static uint64_t text_bytes(const struct manifest *m)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < m->n_tables; i++)
        bytes += m->tables[i].tally.bytes;
    return bytes;
}

/* Per entry, how long its rows take to load: measured, a row is worth 64 bytes of text. Manifest and archive have their
 * tables in the same order. NULL: not known, or no memory. */
static uint64_t *work_of(const struct source *s)
{
    const struct manifest *m = &s->checked->manifest;
    uint64_t *work = s->checked->counted ? calloc(s->toc.n + 1, sizeof *work) : NULL;
    size_t at = 0;

    for (size_t i = 0; work != NULL && at < m->n_tables && i < s->toc.n; i++) {
        const struct archive_entry *e = &s->toc.entries[i];
        const struct manifest_table *t = &m->tables[at];

        if (archive_is_copy(e) && e->tag != NULL && strcmp(e->tag, t->name) == 0) {
            work[i] = t->tally.bytes + 64 * t->tally.rows;
            at++;
        }
    }
    return work;
}

/* The rows, then with pg_restore all that they were only the filling of: indexes, constraints, large objects... */
static int run_archive(struct restoring *r, struct source *s, struct err *err)
{
    struct restore_files files = files_of(r, s);
    bool *wanted = calloc(s->toc.n + 1, sizeof *wanted);
    uint64_t *work = work_of(s);
    struct load_params p = {
        .target = r->filling, .archive = &s->toc, .fd = &s->fd, .jobs = r->p->jobs, .progress = progress_add
    };
    char *encoding = text_encoding(s);
    int rc = -1;

    if (wanted == NULL || encoding == NULL) {
        err_no_memory(err);
        goto out;
    }
    for (size_t i = 0; i < s->toc.n; i++)
        wanted[i] = !s->plan.skip[i];
    p.encoding = encoding;
    p.work = work;
    progress_start("restoring", text_bytes(&s->checked->manifest));
    rc = load_run(&p, wanted, err);
    progress_end();
    if (rc < 0)
        goto out;
    for (size_t i = 0; i < s->toc.n; i++)
        if (!wanted[i] && !s->plan.skip[i]) {
            s->plan.skip[i] = true;
            s->plan.skipped++;
        }
    rc = restore_run(&s->plan, &files, r->filling, RESTORE_DATA, r->p->jobs, err);
    if (rc == 0)
        rc = restore_run(&s->plan, &files, r->filling, RESTORE_REST, r->p->jobs, err);
    if (rc == 0)
        rc = ownership_apply(&s->plan, &files, r->filling, err);
out:
    free(wanted);
    free(work);
    free(encoding);
    return rc;
}

int restoring_load(struct restoring *r, struct source *s, struct err *err)
{
    double from = clock_monotonic();
    char duration[TEXT_SHORT];
    int rc;

    log_step("Starting %s...", s->has_toc ? "pg_restore" : "psql");
    rc = s->has_toc ? run_archive(r, s, err) : run_script(r, s, err);
    if (rc < 0)
        return -1;
    r->result->restore_seconds = clock_monotonic() - from;
    log_step("Restore completed (%s)", text_duration(duration, r->result->restore_seconds));
    return 0;
}

int restoring_tidy(struct restoring *r, struct err *err)
{
    size_t rebuilt = 0;

    log_step("Analyzing database statistics...");
    if (upkeep_analyze(r->filling, r->p->jobs, err) < 0)
        return -1;
    log_step("Rebuilding indexes...");
    if (upkeep_rebuild_indexes(r->filling, r->p->jobs, &rebuilt, err) < 0)
        return -1;
    if (rebuilt > 0)
        log_warn("%zu indexes were not valid, and were built again", rebuilt);
    log_step("Vacuuming database...");
    return upkeep_vacuum(r->filling, r->p->jobs, err);
}

/* ---- compared ------------------------------------------------------------------------------------------------------ */

static int count_only(struct restoring *r, struct err *err)
{
    if (proof_count(r->filling, r->p->jobs, &r->result->tables, &r->result->rows, err) < 0)
        return -1;
    log_warn("the rows were counted, but there is nothing to compare them with: the backup has no manifest");
    return 0;
}

static int prove(struct restoring *r, struct source *s, struct err *err)
{
    const struct manifest *m = &s->checked->manifest;
    struct proof_table *tables = NULL;
    char *encoding = NULL;
    int rc = -1;

    log_step("Verifying data integrity...");
    if (!s->checked->counted)
        return count_only(r, err);
    tables = calloc(m->n_tables + 1, sizeof *tables);
    encoding = text_encoding(s);
    if (tables == NULL || encoding == NULL) {
        err_no_memory(err);
        goto out;
    }
    for (size_t i = 0; i < m->n_tables; i++)
        tables[i] = (struct proof_table){ m->tables[i].schema, m->tables[i].name,
                                          (const char *const *)m->tables[i].columns, m->tables[i].n_columns,
                                          m->tables[i].tally };
    struct proof_params p = {
        .target = r->filling,
        .tables = tables,
        .n = m->n_tables,
        .objects = &m->large_objects,
        .encoding = encoding,
        .lc_monetary = m->database.lc_monetary,
        .settings_unknown = !s->checked->has_manifest,
        .counts_only = r->p->counts_only,
        .listener = s == &r->source ? r->p->listener : NULL, /* not of what is put back */
        .jobs = r->p->jobs,
    };

    if (proof_run(&p, &r->result->rows, err) < 0)
        goto out;
    r->result->tables = m->n_tables;
    r->result->proven = true;
    rc = 0;
out:
    free(tables);
    free(encoding);
    return rc;
}

int restoring_prove(struct restoring *r, struct source *s, struct err *err)
{
    double from = clock_monotonic();
    int rc = prove(r, s, err);

    r->result->prove_seconds = clock_monotonic() - from;
    return rc;
}

/* ---- published ----------------------------------------------------------------------------------------------------- */

static uint64_t size_of(struct restoring *r)
{
    struct err ignored = { 0 };
    char *size = conn_value(r->admin, ERR_RESTORE, &ignored, "SELECT pg_catalog.pg_database_size($1::pg_catalog.name)",
                            1, (const char *[]){ r->work });
    uint64_t bytes = size != NULL ? strtoull(size, NULL, 10) : 0;

    free(size);
    return bytes;
}

/* Its properties are the old one's, else the backup's, and in the end the comment that was asked for. */
static int publish(struct restoring *r, struct database *new, struct err *err)
{
    struct database_act *acts = NULL;
    struct buf comment;
    int rc = -1;

    if (r->p->comment == NULL)
        return database_publish(r->admin, r->work, new, err);
    buf_init(&comment, 4096);
    buf_puts(&comment, " IS ");
    conn_quote_text(&comment, r->p->comment);
    acts = calloc(new->n_acts + 1, sizeof *acts);
    if (acts == NULL) {
        err_no_memory(err);
        goto out;
    }
    if (new->n_acts > 0)
        memcpy(acts, new->acts, new->n_acts * sizeof *acts);
    acts[new->n_acts++] = (struct database_act){ .before = (char *)"COMMENT ON DATABASE ", .after = comment.data };
    new->acts = acts;
    if (buf_check(&comment, err) == 0)
        rc = database_publish(r->admin, r->work, new, err);
out:
    free(acts);
    buf_release(&comment);
    return rc;
}

int restoring_publish(struct restoring *r, const struct source *s, struct err *err)
{
    struct database new = r->old.exists ? r->old : s->like;

    new.name = r->name;
    if (!r->old.exists && names_have(&s->refused, new.owner != NULL ? new.owner : ""))
        new.owner = NULL;
    if (restoring_reconnect(r, err) < 0) /* hours may have passed: a firewall may have forgotten an idle connection */
        return -1;
    r->result->database_size = size_of(r);
    if (database_allow(r->admin, r->work, false, err) < 0 ||
        database_end_connections(r->admin, r->work, END_SECONDS, err) < 0)
        return -1;
    return publish(r, &new, err);
}
