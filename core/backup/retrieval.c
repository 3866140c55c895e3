/* SPDX-License-Identifier: PostgreSQL */
/* retrieval.c - some tables out of a backup: the order of things, and what is said. */
#include "core/backup/retrieval.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/backup/retrieving.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"

#define PIPE_SIZE (1024 * 1024)
#define SESSION "-c default_transaction_read_only=off"
#define MAX_NAMES 4096

/* ---- before anybody is asked ------------------------------------------------------------------------------------- */

/* A file that is there would be lost. */
static int check_output(const struct retrieval_params *p, struct err *err)
{
    struct stat st;

    if (p->output == NULL || strcmp(p->output, "-") == 0 || lstat(p->output, &st) < 0)
        return 0;
    err_set(err, ERR_USAGE, "%s is there already", p->output);
    err_hint(err, "name a file that is not; or --output - >%s", p->output);
    return -1;
}

static int open_target(struct retrieval *r, struct err *err)
{
    const struct retrieval_params *p = &r->params;

    if (p->output != NULL)
        return 0;
    if (!p->dry_run && places_lock(p->settings, &r->places, p->environment, &r->lock, err) < 0)
        return -1;
    r->target = places_target(p->settings, p->environment, err);
    return r->target != NULL ? 0 : -1;
}

struct retrieval *retrieval_open(const struct retrieval_params *p, struct err *err)
{
    struct retrieval *r = calloc(1, sizeof *r);

    if (r == NULL) {
        err_no_memory(err);
        return NULL;
    }
    r->params = *p;
    r->lock = (struct os_lock)OS_LOCK_NONE;
    r->fd = -1;
    if (check_output(p, err) < 0 || places_open(p->settings, &r->places, err) < 0 || open_target(r, err) < 0)
        goto fail;
    r->wanted = (struct choice_params){
        .settings = p->settings, .places = &r->places, .what = p->what, .source = p->source, .moment = p->moment
    };
    r->is_chosen = true;
    if (choice_find(&r->wanted, &r->choice, err) < 0 || retrieving_open_source(r, err) < 0)
        goto fail;
    audit_open(&r->audit, p->settings, &r->places, AUDIT_RESTORE);
    return r;
fail:
    retrieval_close(r);
    return NULL;
}

const struct choice *retrieval_choice(const struct retrieval *r)
{
    return &r->choice;
}

/* ---- what is said ------------------------------------------------------------------------------------------------ */

static void list_tables(const struct retrieval *r)
{
    for (size_t i = 0; i < r->excerpt.n; i++) {
        const struct excerpt_table *t = &r->excerpt.tables[i];
        const struct manifest_table *m = retrieving_expected(r, t);
        char rows[TEXT_SHORT];

        log_say("   %s %s.%s%s%s%s", i == 0 ? "Tables:" : "       ", t->schema, t->name, m != NULL ? " (" : "",
                m != NULL ? text_count(rows, m->tally.rows) : "", m != NULL ? " rows)" : "");
    }
}

static void say_where(const struct retrieval *r)
{
    struct buf database;

    if (r->target == NULL) {
        log_say("   Output: %s", strcmp(r->params.output, "-") == 0 ? "standard output" : r->params.output);
        return;
    }
    buf_init(&database, MAX_NAMES);
    target_describe(r->target, &database);
    log_say("   Target Environment: %s", r->params.environment);
    log_say("   Target Database: %s", database.data);
    log_say("   %s", r->params.data_only
                         ? "The rows are added to tables that are there; the sequences they own move on with them."
                         : "The tables are created; nothing else is touched.");
    buf_release(&database);
}

void retrieval_announce(const struct retrieval *r)
{
    char when[CLOCK_TEXT], part[TEXT_SHORT], size[TEXT_SHORT];
    uint64_t rows = retrieving_bytes(r);

    log_say("📋 Table Restore Details:");
    log_say("   Backup File: %s", r->choice.path != NULL ? r->choice.path : r->choice.shown);
    log_say("   Backup Date: %s UTC", clock_log(when, r->choice.taken));
    list_tables(r);
    if (rows > 0)
        log_say("   To Read: %s of %s", text_size(part, r->toc.data_at + rows), text_size(size, r->file.size));
    else
        log_say("   To Read: at most %s", text_size(size, r->file.size));
    say_where(r);
    log_say("%s", "");
}

static void say_names(const struct retrieval *r, struct buf *out)
{
    for (size_t i = 0; i < r->params.n_tables; i++)
        buf_printf(out, "%s%s", i > 0 ? ", " : "", r->params.tables[i]);
}

/* ---- through pg_restore ------------------------------------------------------------------------------------------ */

/* An archive into its standard input, and SQL or nothing out of it. */
static int start(const struct retrieval *r, struct tool_run *run, const char **args, int in, int out, struct err *err)
{
    int n = 0;

    args[n++] = "--single-transaction";
    args[n++] = "--exit-on-error";
    if (r->params.data_only)
        args[n++] = "--data-only";
    if (r->target == NULL)
        args[n++] = "--file=-";
    if (r->has_plan && r->plan.no_owner)
        args[n++] = "--no-owner";
    if (r->has_plan && r->plan.no_tablespaces)
        args[n++] = "--no-tablespaces";
    if (log_is_verbose())
        args[n++] = "--verbose";
    args[n] = NULL;
    run->tool = &r->tool;
    run->program = TOOL_PG_RESTORE;
    run->args = args;
    run->target = r->target;
    run->session_options = r->target != NULL ? SESSION : NULL;
    run->stdin_fd = in;
    run->stdout_fd = out;
    return tool_start(run, err);
}

/* What pg_restore says is why it failed, or reads no further. */
static void tell_cause(const struct retrieval *r, struct err *err, const struct err *said)
{
    struct buf needs;

    if (said->class != ERR_NONE)
        *err = *said;
    if (err->class != ERR_RESTORE)
        return;
    if (r->params.output != NULL || r->params.data_only) {
        if (r->params.output == NULL && *err->hint == '\0')
            err_hint(
                err, "nothing was changed%s",
                strstr(err->message, "does not exist") == NULL
                    ? ""
                    : "; --verbose tells where. A trigger that does not find its tables: write the rows with --output, "
                      "delete the line that empties search_path, and feed the rest to psql");
        return;
    }
    buf_init(&needs, sizeof err->hint / 2);
    excerpt_needs(&r->excerpt, &needs);
    if (needs.size > 0)
        err_hint(err, "nothing was changed. What it needs, and the backup's other entries make: %s%s", needs.data,
                 needs.failed ? ", ..." : "");
    else
        err_hint(err, "nothing was changed");
    buf_release(&needs);
}

static int pour(struct retrieval *r, int out, struct err *err)
{
    struct tool_run run = { TOOL_RUN_NONE };
    struct err said = { 0 };
    const char *args[12];
    int fds[2] = { -1, -1 }, rc = -1;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, "can't make a pipe");
    (void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);
    if (start(r, &run, args, fds[0], out, err) < 0)
        goto out;
    close(fds[0]);
    fds[0] = -1;
    rc = retrieving_send(r, fds[1], err);
    if (rc < 0 && !r->is_unheard)
        tool_stop(&run); /* before it sees an end, and commits */
    close(fds[1]);
    fds[1] = -1;
    if (rc == 0 || r->is_unheard) {
        if (tool_wait(&run, ERR_RESTORE, &said) < 0)
            rc = -1;
        if (rc < 0)
            tell_cause(r, err, &said);
    }
out:
    tool_stop(&run);
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return rc;
}

static int write_file(struct retrieval *r, struct err *err)
{
    struct os_file f = OS_FILE_CLOSED;
    int rc = os_file_create(&f, r->params.output, err);

    if (rc == 0)
        rc = pour(r, f.fd, err);
    if (rc == 0)
        rc = os_file_commit(&f, err);
    os_file_discard(&f);
    return rc;
}

static int write_sql(struct retrieval *r, struct err *err)
{
    for (size_t i = 0; i < r->toc.n; i++) /* a script's reader decides what to do when one of these fails */
        if (r->excerpt.parts[i] == EXCERPT_AFTER)
            r->excerpt.parts[i] = EXCERPT_INSIDE;
    if (tool_for_archive(r->toc.version % 256,
                         r->toc.dump_version != NULL ? (int)strtol(r->toc.dump_version, NULL, 10) : 0,
                         settings_get(r->params.settings, SETTING_PG_BINDIR), &r->tool, err) < 0)
        return -1;
    if (r->params.dry_run)
        return 0;
    return strcmp(r->params.output, "-") == 0 ? pour(r, STDOUT_FILENO, err) : write_file(r, err);
}

static int fill_database(struct retrieval *r, struct retrieval_result *result, struct err *err)
{
    if (retrieving_check_target(r, err) < 0)
        return -1;
    if (r->params.dry_run) {
        log_step("Dry run: the tables can be restored; nothing was changed");
        return 0;
    }
    log_step("Starting pg_restore...");
    if (pour(r, -1, err) < 0)
        return -1;
    log_step("Restore completed");
    return retrieving_finish_target(r, result, err);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static void tell_audit(struct retrieval *r, const struct retrieval_result *result, int rc, const struct err *err)
{
    char duration[TEXT_SHORT], rows[TEXT_SHORT];

    if (r->params.dry_run)
        return;
    if (rc < 0)
        audit_event(&r->audit, AUDIT_ERROR, "Table restore failed (%s)", err->message);
    else
        audit_event(&r->audit, AUDIT_INFO, "Table restore completed (duration: %s, rows: %s)",
                    text_duration(duration, result->seconds), text_count(rows, result->rows));
}

int retrieval_run(struct retrieval *r, struct retrieval_result *result, struct err *err)
{
    double from = clock_monotonic();
    struct buf names;
    int rc;

    memset(result, 0, sizeof *result);
    buf_init(&names, MAX_NAMES);
    say_names(r, &names);
    if (!r->params.dry_run)
        audit_event(&r->audit, AUDIT_WARNING, "Table restore initiated (user: %s, backup: %s, tables: %s, target: %s)",
                    os_user(), os_basename(r->choice.shown), names.data,
                    r->target != NULL ? r->params.environment : r->params.output);
    buf_release(&names);
    rc = r->target != NULL ? fill_database(r, result, err) : write_sql(r, err);
    for (size_t i = 0; i < r->excerpt.n; i++) {
        result->tables += r->excerpt.tables[i].rows != NULL;
        result->rows += r->tallies[i].rows;
    }
    result->seconds = clock_monotonic() - from;
    tell_audit(r, result, rc, err);
    return rc;
}

void retrieval_close(struct retrieval *r)
{
    if (r == NULL)
        return;
    if (r->has_plan)
        restore_plan_release(&r->plan);
    conn_close(r->c);
    retrieving_close_source(r);
    if (r->is_chosen)
        choice_release(&r->choice);
    target_free(r->target);
    audit_close(&r->audit);
    os_lock_release(&r->lock);
    places_release(&r->places);
    free(r);
}
