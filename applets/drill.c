/* SPDX-License-Identifier: PostgreSQL */
/* drill.c - rehearse a recovery, beside everything that is in use. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applets/applet.h"
#include "core/backup/choice.h"
#include "core/backup/drill.h"
#include "core/backup/settings.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/watch/report.h"
#include "core/watch/watch.h"

static const char usage[] =
    "drill [OPTIONS] [BACKUP]\n"
    "\n"
    "Takes the latest production backup (or the one that is named) from the store or the local cache, verifies it,\n"
    "restores it, compares every row, examines indexes, constraints and sequences, compares with production as it is now,\n"
    "runs smoke tests, and says how long a recovery takes and how much it would lose.\n"
    "It is restored into a database of its own on the staging server, which is dropped afterwards: nothing in use is\n"
    "touched. --replace puts it in place of the staging database, as `sfb restore` does; --local needs no server.\n";

static const char examples[] =
    "# The latest backup\nsfb drill\n"
    "# With statements that must succeed, and be true where they return a boolean\n"
    "sfb drill --smoke-sql smoke.sql\n"
    "# In place of the staging database, then ask the application that uses it\n"
    "sfb drill --replace --force --smoke-url https://staging.example.com/health\n"
    "# With no server but the programs of this host\nsfb drill --local\n"
    "# A certain one, and look at it afterwards\n"
    "sfb drill --keep s3://signupflow-backups/production/daily/backup-20251023-020000.dump\n";

static struct {
    const char *moment, *smoke_sql, *smoke_cmd, *smoke_url, *smoke_text, *max_drift, *report;
    int jobs, smoke_status, smoke_seconds;
    bool replace, local, keep, force, production, jobs_given, json, verbose;
} opt = { .smoke_seconds = 60, .production = true };

static const struct opt options[] = {
    OPT_TEXT('p', "point-in-time", "TIME", &opt.moment, "drill with the newest backup that is not from after\nTIME"),
    OPT_FLAG(0, "replace", &opt.replace, "restore over the staging database"),
    OPT_FLAG(0, "force", &opt.force, "with --replace: without a question"),
    OPT_FLAG(0, "local", &opt.local, "on a throwaway server of this host's own PostgreSQL\nprograms"),
    OPT_FLAG(0, "keep", &opt.keep, "leave the restored database on the server"),
    OPT_TEXT(0, "smoke-sql", "FILE", &opt.smoke_sql,
             "statements that must succeed; where one returns a\nboolean it must be true. Nothing they write stays"),
    OPT_TEXT(0, "smoke-cmd", "COMMAND", &opt.smoke_cmd,
             "for /bin/sh, must exit with 0; finds the database by\nDATABASE_URL and PG*"),
    OPT_TEXT(0, "smoke-url", "URL", &opt.smoke_url, "must answer with a status of 2xx"),
    OPT_INT(0, "smoke-status", "N", 100, 599, &opt.smoke_status, NULL, "with --smoke-url: this status"),
    OPT_TEXT(0, "smoke-text", "TEXT", &opt.smoke_text, "with --smoke-url: this has to be in the answer"),
    OPT_INT(0, "smoke-deadline", "SECONDS", 1, 86400, &opt.smoke_seconds, NULL,
            "for each statement, the command, and all tries of the URL (default 60)"),
    OPT_FLAG(0, "production", &opt.production,
             "compare with production now (default);\n--no-production asks nothing of it"),
    OPT_TEXT(0, "max-drift", "PERCENT", &opt.max_drift,
             "how far production's rows may be from the backup's:\nall together, and each table of 1,000 or more"),
    OPT_INT('j', "jobs", "N", 1, 256, &opt.jobs, &opt.jobs_given, "restore jobs (default: one for each processor)"),
    OPT_TEXT(0, "report", "FILE", &opt.report, "write the report to FILE, too: .html, .json or .txt"),
    OPT_FLAG(0, "json", &opt.json, "print the report as JSON, and nothing else"),
    OPT_FLAG('v', "verbose", &opt.verbose, "verbose output (debugging)"),
    OPT_END,
};

static const struct exit_map exits[] = {
    { ERR_NOT_FOUND, 1, "backup not found, or its store can't be read" },
    { ERR_STORE, 1, NULL },
    { ERR_DAMAGED, 2, "backup verification failure" },
    { ERR_CONNECT, 3, "database connection failure" },
    { ERR_NONE, 4, "the restore failed" },
    { ERR_PROOF, 5, "the restored data is not what was backed up, or another check or smoke test failed" },
    { ERR_CANCELLED, 6, "user cancelled operation (--replace)" },
    { ERR_CONFIG, 7, "usage or configuration" },
    { ERR_USAGE, 7, NULL },
    EXITS_BUSY,
    EXITS_END,
};

static const char *const environment = "production"; /* unless the backup turns out to be another's */
static const char *const links[] = { "test-restore", NULL };

/* ---- what is wanted ---------------------------------------------------------------------------------------------- */

static int check_combinations(int argc, char **argv, struct err *err)
{
    if (argc > 1)
        return err_set(err, ERR_USAGE, "one backup at a time: %s", argv[1]);
    if (opt.replace && opt.local)
        return err_set(err, ERR_USAGE, "either --replace or --local");
    if (opt.keep && opt.local)
        return err_set(err, ERR_USAGE, "--keep does not go with --local: the whole server is removed");
    if (opt.json && opt.replace && !opt.force)
        return err_set(err, ERR_USAGE, "--json asks no questions: --replace needs --force beside it");
    if (opt.force && !opt.replace)
        return err_set(err, ERR_USAGE, "--force goes with --replace; nothing else asks");
    if (opt.smoke_url == NULL && (opt.smoke_text != NULL || opt.smoke_status != 0))
        return err_set(err, ERR_USAGE, "%s goes with --smoke-url", opt.smoke_text ? "--smoke-text" : "--smoke-status");
    return 0;
}

/* Before the work, not after it. */
static int check_report(struct err *err)
{
    char *directory = opt.report != NULL ? os_dirname(opt.report) : NULL;
    int rc = 0;

    if (opt.report != NULL && directory == NULL)
        rc = err_no_memory(err);
    else if (directory != NULL && !os_dir_usable(directory))
        rc = err_set(err, ERR_CONFIG, "--report %s: there is no such directory, or it can't be written", opt.report);
    free(directory);
    return rc;
}

static int parse_drift(double *limit, struct err *err)
{
    char *end = NULL;

    *limit = -1;
    if (opt.max_drift == NULL)
        return 0;
    *limit = strtod(opt.max_drift, &end);
    if (end == opt.max_drift || *end != '\0' || !(*limit >= 0 && *limit <= 100))
        return err_set(err, ERR_USAGE, "--max-drift is a number of percent from 0 to 100, not %s", opt.max_drift);
    return 0;
}

static int parse_wishes(const struct settings *settings, int argc, char **argv, struct drill_params *p, struct err *err)
{
    *p = (struct drill_params){
        .settings = settings,
        .what = argc == 1 ? argv[0] : NULL,
        .attended = isatty(STDIN_FILENO),
        .where = opt.replace ? DRILL_REPLACE
               : opt.local   ? DRILL_LOCAL
                             : DRILL_BESIDE,
        .keep = opt.keep,
        .smoke_sql = opt.smoke_sql,
        .smoke_cmd = opt.smoke_cmd,
        .smoke_url = opt.smoke_url,
        .smoke_text = opt.smoke_text,
        .smoke_status = opt.smoke_status,
        .smoke_seconds = (unsigned)opt.smoke_seconds,
        .no_production = !opt.production,
    };
    if (check_combinations(argc, argv, err) < 0 || check_report(err) < 0 || parse_drift(&p->max_drift, err) < 0)
        return -1;
    if (opt.moment != NULL && choice_parse_moment(opt.moment, &p->moment, err) < 0)
        return -1;
    return settings_jobs(settings, opt.jobs_given ? &opt.jobs : NULL, &p->jobs, err);
}

/* ---- --replace asks ---------------------------------------------------------------------------------------------- */

static int agree(const struct drill_result *r, struct err *err)
{
    char when[CLOCK_TEXT], answer[64];
    ssize_t n;

    if (!isatty(STDIN_FILENO)) {
        err_set(err, ERR_CANCELLED, "nobody is at the terminal to confirm; nothing was touched");
        err_hint(err, "--force replaces the staging database without asking; without --replace it is left alone");
        return -1;
    }
    log_say("%s", "");
    log_say("⚠️  You are about to REPLACE the staging database %s by %s (%s UTC).", r->database, r->backup,
            clock_log(when, r->taken));
    printf("Are you sure you want to continue? [y/N]: ");
    fflush(stdout);
    n = read(STDIN_FILENO, answer, sizeof answer - 1);
    answer[n > 0 ? n : 0] = '\0';
    answer[strcspn(answer, "\r\n")] = '\0';
    if (os_check_interrupt(err) < 0)
        return -1;
    log_say("%s", "");
    if (strcasecmp(answer, "y") != 0 && strcasecmp(answer, "yes") != 0)
        return err_set(err, ERR_CANCELLED, "cancelled: nothing was touched");
    return 0;
}

/* ---- what is said, kept, and remembered ------------------------------------------------------------------------- */

static int print(const struct report *r, struct err *err)
{
    struct buf out;
    int rc;

    buf_init(&out, REPORT_MAX);
    rc = report_write(&out, r, opt.json ? ".json" : ".txt", err);
    log_say("%s", "");
    if (rc == 0 && fwrite(out.data, 1, out.size, stdout) == out.size)
        fflush(stdout); /* the frame looks whether it arrived */
    buf_release(&out);
    return rc;
}

/* What can't be told changes nothing about the drill. */
static void tell(const struct settings *settings, const struct drill_result *result, const struct err *why,
                 struct run *run)
{
    struct places places = { 0 };
    struct report_kept kept = { 0 };
    struct err trouble = { 0 };
    struct report r = { 0 };

    places_open_state(settings, &places);
    if (report_gather(&r, settings, &places, result, why, clock_now(), &trouble) < 0 || print(&r, &trouble) < 0 ||
        report_keep(settings, &places, &r, &kept, &trouble) < 0 ||
        (opt.report != NULL && report_write_file(&r, opt.report, &trouble) < 0))
        log_warn("the drill's report: %s", trouble.message);
    run_set(&run->report, kept.url != NULL ? kept.url : kept.path, &trouble); /* so that an alert can name it */
    run_set(&run->report_path, kept.path, &trouble);
    if (opt.report != NULL || kept.url != NULL || kept.path != NULL)
        log_say("   Report: %s", opt.report != NULL ? opt.report : kept.url != NULL ? kept.url : kept.path);
    report_kept_release(&kept);
    report_release(&r);
    places_release(&places);
}

static int note(struct run *run, const struct drill_result *r, struct err *err)
{
    run->taken = r->taken;
    run->size = r->size;
    run->database_size = r->database_size;
    run->rows = r->n_rows;
    run->tables = r->n_tables;
    run->stored = r->stored;
    run->proven = r->proven;
    run->verified = r->passed;
    run->recovery_seconds = r->proven ? r->recovery_seconds : 0;
    for (size_t i = 0; i < r->n_phases; i++)
        if (run_phase(run, r->phases[i].name, r->phases[i].seconds, err) < 0)
            return -1;
    if (*r->backup == '\0')
        return 0;
    return run_set(&run->environment, r->environment, err) < 0 || run_set(&run->backup, r->backup, err) < 0 ||
                   run_set(&run->location, r->location, err) < 0 || run_set(&run->database, r->database, err) < 0 ||
                   run_set(&run->md5, r->md5, err) < 0
             ? -1
             : 0;
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    struct drill_result result;
    struct drill_params p;
    int rc;

    log_verbose(opt.verbose);
    log_quiet(opt.json);
    if (parse_wishes(ctx->settings, argc, argv, &p, err) < 0)
        return -1;
    if (opt.replace && !opt.force)
        p.agree = agree;
    watch_begin(ctx->settings, ctx->run);
    log_say("🧪 Starting restore drill...");
    log_say("%s", "");
    rc = drill_run(&p, &result, err);
    if (note(ctx->run, &result, err) < 0)
        rc = -1;
    ctx->run->unrecorded = result.mistaken; /* a slip of the hand is no failed drill */
    if (rc == 0 || (report_is_due(err) && !result.mistaken))
        tell(ctx->settings, &result, err, ctx->run);
    if (rc == 0)
        log_say("✅ Drill completed successfully");
    drill_release(&result);
    return rc;
}

APPLET(drill, .summary = "rehearse a recovery and prove it", .usage = usage, .examples = examples, .options = options,
       .exits = exits, .wants_settings = true, .watched = RUN_DRILL, .environment = &environment, .links = links,
       .run = run);
