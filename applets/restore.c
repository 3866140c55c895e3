/* SPDX-License-Identifier: PostgreSQL */
/* restore.c - put a backup in place of a database. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "applets/applet.h"
#include "core/backup/choice.h"
#include "core/backup/places.h"
#include "core/backup/recovery.h"
#include "core/backup/retrieval.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/watch/watch.h"

static const char usage[] =
    "restore [OPTIONS] BACKUP\n"
    "restore --table TABLE... [--data-only] [--output FILE] [OPTIONS] BACKUP\n"
    "\n"
    "Replaces the environment's database by what the backup holds. It asks first, verifies the backup, saves the present\n"
    "database, restores under a working name, compares every row, and only then gives the new database its name. When\n"
    "anything fails after the old one was dropped, the old one is put back. BACKUP is a file (a custom archive or plain\n"
    "SQL, compressed or not, by sfb or by pg_dump), an s3:// URL, or latest, latest@weekly, latest@monthly.\n"
    "\n"
    "With --table just that table is read, of an s3:// backup just its bytes are fetched, and it is created in the\n"
    "database as it is, with its keys, indexes and sequences (of a partitioned table: and its partitions), in one\n"
    "transaction and compared afterwards. Nothing is dropped: a table that is there is left alone, unless --data-only\n"
    "adds the rows to it.\n";

static const char examples[] =
    "# Restore to the staging environment (the default: safe testing)\nsfb restore /tmp/backup-20251023-143215.dump\n"
    "# Without a question, for scripts\nsfb restore --force --environment staging /tmp/backup.dump\n"
    "# What would happen?\nsfb restore --dry-run /tmp/backup.dump\n"
    "# From the bucket\nsfb restore s3://signupflow-backups/production/daily/backup-20251023-143215.dump\nsfb restore latest\n"
    "# One table that was dropped by mistake, and rows that were deleted\n"
    "sfb restore --environment production --table events latest\n"
    "sfb restore --table events --data-only --output events.sql latest\n"
    "# The newest backup from before a moment, beside the one that is named\n"
    "sfb restore --point-in-time 2025-10-23T12:00:00Z /var/backups/signupflow/backup-20251023-143215.dump\n";

static struct {
    const char *environment, *source, *moment;
    const char *output;
    struct opt_list tables;
    int jobs;
    bool data_only, force, verify, dry_run, proof, pre_restore, role_login, verbose, jobs_given;
} opt = { .environment = "staging", .source = "production", .verify = true, .proof = true, .pre_restore = true };

static const struct opt options[] = {
    OPT_TEXT('e', "environment", "ENV", &opt.environment, "target environment: staging, production\n(default staging)"),
    OPT_LIST('t', "table", "TABLE", &opt.tables, "only this table, or SCHEMA.TABLE; may be repeated"),
    OPT_FLAG(0, "data-only", &opt.data_only, "with --table: add the rows to a table that is there"),
    OPT_TEXT('o', "output", "FILE", &opt.output, "with --table: write it as SQL (- for standard output)"),
    OPT_FLAG(0, "force", &opt.force, "skip confirmation prompts (dangerous)"),
    OPT_FLAG(0, "verify", &opt.verify, "verify backup before restore (default; --no-verify)"),
    OPT_FLAG(0, "dry-run", &opt.dry_run, "simulate restore without modifying database"),
    OPT_TEXT('p', "point-in-time", "TIME", &opt.moment,
             "restore the newest backup that is not from after\nTIME (ISO 8601, UTC unless it says otherwise)"),
    OPT_TEXT(0, "source", "ENV", &opt.source, "whose backups `latest` means (default production)"),
    OPT_FLAG(0, "proof", &opt.proof, "compare every row afterwards (default); with\n--no-proof row counts only"),
    OPT_FLAG(0, "pre-restore", &opt.pre_restore,
             "save the present database first (default);\n--no-pre-restore for one that can't be dumped"),
    OPT_FLAG(0, "role-login", &opt.role_login, "roles that are created may log in, if they could"),
    OPT_INT('j', "jobs", "N", 1, 256, &opt.jobs, &opt.jobs_given, "restore jobs (default: one for each processor)"),
    OPT_FLAG('v', "verbose", &opt.verbose, "verbose output (debugging)"),
    OPT_END,
};

static const struct exit_map exits[] = {
    { ERR_NOT_FOUND, 1, "backup file (or the table in it) not found" },
    { ERR_DAMAGED, 2, "backup verification failure" },
    { ERR_CONNECT, 3, "database connection failure" },
    { ERR_NONE, 4, "pg_restore execution failure" },
    { ERR_PROOF, 5, "data integrity verification failure" },
    { ERR_CANCELLED, 6, "user cancelled operation" },
    { ERR_CONFIG, 7, "invalid configuration" },
    { ERR_USAGE, 7, NULL },
    EXITS_BUSY,
    EXITS_END,
};

static const char *const links[] = { "restore-database", NULL };

/* ---- what is wanted -------------------------------------------------------------------------------------------- */

static int parse_wishes(const struct settings *settings, int argc, char **argv, struct recovery_params *p,
                        struct err *err)
{
    *p = (struct recovery_params){
        .settings = settings,
        .source = opt.source,
        .environment = opt.environment,
        .quick = !opt.verify,
        .unconfirmed = !opt.force && !opt.dry_run && !isatty(STDIN_FILENO),
        .dry_run = opt.dry_run,
        .counts_only = !opt.proof,
        .unsaved = !opt.pre_restore,
        .create_logins = opt.role_login,
    };
    if (argc != 1) {
        err_set(err, ERR_USAGE, argc == 0 ? "which backup is to be restored?" : "one backup at a time: %s",
                argv[argc > 1]);
        err_hint(err, "sfb restore [OPTIONS] BACKUP; `sfb list` shows what there is");
        return -1;
    }
    if (opt.tables.n == 0 && (opt.data_only || opt.output != NULL)) {
        err_set(err, ERR_USAGE, "--data-only and --output go with --table");
        err_hint(err, "all of a backup as SQL: sfb pg_restore -f - BACKUP");
        return -1;
    }
    p->what = argv[0];
    if (places_check_environment(opt.environment, err) < 0 || places_check_environment(opt.source, err) < 0)
        return -1;
    if (opt.moment != NULL && choice_parse_moment(opt.moment, &p->moment, err) < 0)
        return -1;
    return settings_jobs(settings, opt.jobs_given ? &opt.jobs : NULL, &p->jobs, err);
}

/* ---- what is said, and asked ------------------------------------------------------------------------------------- */

/* The answer's first letter; 'n' at the end of the input. The terminal gives whole lines. */
static char read_answer(void)
{
    char answer[64] = "";

    if (read(STDIN_FILENO, answer, sizeof answer - 1) <= 0)
        return 'n';
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0 ? 'y' : 'n';
}

static int confirm(const struct recovery_params *p, struct err *err)
{
    char answer;

    if (opt.force || opt.dry_run || p->unconfirmed)
        return 0;
    printf("Are you sure you want to continue? [y/N]: ");
    fflush(stdout);
    answer = read_answer();
    if (os_check_interrupt(err) < 0)
        return -1;
    log_say("%s", "");
    if (answer != 'y')
        return err_set(err, ERR_CANCELLED, "cancelled: nothing was touched");
    return 0;
}

static void summarise(const struct choice *c, const struct restoration_result *result, double seconds)
{
    char when[CLOCK_TEXT], text[TEXT_SHORT];

    log_say("%s", "");
    log_say("📊 Restore Summary:");
    log_say("   Backup File: %s", os_basename(c->shown));
    log_say("   Backup Date: %s UTC", clock_log(when, c->taken));
    log_say("   Restore Duration: %s", text_duration(text, seconds));
    log_say("   Database Size: %s (uncompressed)", text_size(text, result->database_size));
    log_say("   Tables Restored: %s", text_count(text, result->tables));
    log_say("   Rows Restored: %s", text_count(text, result->rows));
    log_say("%s", "");
    log_say("✅ Database restore completed successfully");
}

/* ---- what is remembered ---------------------------------------------------------------------------------------- */

static int note_choice(struct run *r, const struct choice *c, struct err *err)
{
    r->taken = c->taken;
    r->size = c->size;
    r->stored = c->stored;
    return run_set(&r->backup, os_basename(c->shown), err) < 0 ? -1 : run_set(&r->location, c->shown, err);
}

static int note_result(struct run *r, const struct recovery *recovery, const struct restoration_result *result,
                       double seconds, struct err *err)
{
    struct recovery_account account = recovery_account(recovery);
    const struct manifest *m = account.manifest;
    const struct {
        const char *name;
        double seconds;
    } phases[] = { { "fetch", account.fetch_seconds },
                   { "verify", account.verify_seconds },
                   { "restore", result->restore_seconds },
                   { "prove", result->prove_seconds } };

    r->verified = account.verified && opt.verify;
    r->proven = result->proven && opt.proof;
    r->recovery_seconds = result->proven ? seconds : 0;
    r->database_size = result->database_size;
    r->tables = result->tables;
    r->rows = result->rows;
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++)
        if (phases[i].seconds > 0 && run_phase(r, phases[i].name, phases[i].seconds, err) < 0)
            return -1;
    if (m == NULL)
        return 0;
    if (strcmp(m->environment, opt.environment) != 0 && run_set(&r->source, m->environment, err) < 0)
        return -1;
    return run_set(&r->md5, m->md5, err);
}

/* ---- all of a backup, or some tables of it ----------------------------------------------------------------------- */

static int restore_all(const struct context *ctx, const struct recovery_params *p, struct err *err)
{
    struct restoration_result result = { 0 };
    struct recovery *recovery = recovery_open(p, err);
    double seconds;
    int rc = -1;

    if (recovery == NULL || note_choice(ctx->run, recovery_choice(recovery), err) < 0 ||
        run_set(&ctx->run->database, target_database(recovery_target(recovery)), err) < 0)
        goto out;
    choice_explain(recovery_choice(recovery), p->moment);
    recovery_announce(recovery);
    if (confirm(p, err) < 0)
        goto out;
    log_say("🔄 Starting database restore...");
    log_say("%s", "");
    rc = recovery_run(recovery, &result, &seconds, err);
    if (note_result(ctx->run, recovery, &result, seconds, err) < 0)
        rc = -1;
    if (rc == 0 && !opt.dry_run)
        summarise(recovery_choice(recovery), &result, seconds);
    restoration_release(&result);
out:
    recovery_close(recovery);
    return rc;
}

static int restore_tables(const struct context *ctx, const struct recovery_params *p, struct err *err)
{
    struct retrieval_params params = {
        .settings = p->settings,
        .what = p->what,
        .source = p->source,
        .environment = p->environment,
        .moment = p->moment,
        .tables = opt.tables.items,
        .n_tables = opt.tables.n,
        .output = opt.output,
        .jobs = p->jobs,
        .data_only = opt.data_only,
        .dry_run = p->dry_run,
        .counts_only = p->counts_only,
    };
    struct retrieval_result result = { 0 };
    struct retrieval *r = NULL;
    char rows[TEXT_SHORT];
    int rc = -1;

    log_quiet(opt.output != NULL && strcmp(opt.output, "-") == 0);
    r = retrieval_open(&params, err);
    if (r == NULL || note_choice(ctx->run, retrieval_choice(r), err) < 0)
        goto out;
    choice_explain(retrieval_choice(r), p->moment);
    retrieval_announce(r);
    if (opt.output == NULL && p->unconfirmed) {
        err_set(err, ERR_CANCELLED, "nobody is at the terminal to confirm; nothing was touched");
        err_hint(err, "--force restores without asking");
    }
    if (err->class != ERR_NONE || (opt.output == NULL && confirm(p, err) < 0))
        goto out;
    rc = retrieval_run(r, &result, err);
    ctx->run->tables = result.tables;
    ctx->run->rows = result.rows;
    ctx->run->proven = result.proven && opt.proof;
    if (rc == 0 && !opt.dry_run)
        log_say("✅ Restored: %s rows", text_count(rows, result.rows));
out:
    retrieval_close(r);
    return rc;
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    struct recovery_params p;

    log_verbose(opt.verbose);
    if (parse_wishes(ctx->settings, argc, argv, &p, err) < 0)
        return -1;
    ctx->run->unrecorded = opt.dry_run || opt.output != NULL;
    watch_begin(ctx->settings, ctx->run);
    return opt.tables.n > 0 ? restore_tables(ctx, &p, err) : restore_all(ctx, &p, err);
}

APPLET(restore, .summary = "put a backup in place of a database", .usage = usage, .examples = examples,
       .options = options, .exits = exits, .wants_settings = true, .watched = RUN_RESTORE,
       .environment = &opt.environment, .links = links, .run = run);
