/* SPDX-License-Identifier: PostgreSQL */
/* drill.c - rehearse a recovery, beside everything that is in use. */
#include <string.h>

#include "applets/applet.h"
#include "core/backup/drill.h"
#include "core/backup/settings.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"

static const char usage[] =
    "drill [OPTIONS] [BACKUP]\n"
    "\n"
    "Takes the latest production backup (or the one that is named) from the store or the local cache, verifies it,\n"
    "restores it into a database of its own on the staging server, compares every row, runs the smoke tests and drops\n"
    "the database again. Says how long a recovery takes and how much it would lose. Nothing in use is touched.\n";

static const char examples[] =
    "# The latest backup\nsfb drill\n"
    "# With statements that must succeed, and be true where they return a boolean\n"
    "sfb drill --smoke-sql smoke.sql\n"
    "# A certain one, and look at it afterwards\n"
    "sfb drill --keep s3://signupflow-backups/production/daily/backup-20251023-020000.dump\n";

static struct {
    const char *smoke_sql;
    int jobs;
    bool keep, jobs_given, verbose;
} opt;

static const struct opt options[] = {
    OPT_TEXT(0, "smoke-sql", "FILE", &opt.smoke_sql, "statements that must succeed; single booleans must be\ntrue"),
    OPT_FLAG(0, "keep", &opt.keep, "leave the restored database on the server"),
    OPT_INT('j', "jobs", "N", 1, 256, &opt.jobs, &opt.jobs_given, "restore jobs (default: one for each processor)"),
    OPT_FLAG('v', "verbose", &opt.verbose, "verbose output (debugging)"),
    OPT_END,
};

static const struct exit_map exits[] = {
    { ERR_NOT_FOUND, 1, "backup not found" },
    { ERR_DAMAGED, 2, "backup verification failure" },
    { ERR_CONNECT, 3, "database connection failure" },
    { ERR_NONE, 4, "the restore failed" },
    { ERR_PROOF, 5, "the restored data is not what was backed up, or a smoke test failed" },
    { ERR_CONFIG, 7, "usage or configuration" },
    { ERR_USAGE, 7, NULL },
    EXITS_END,
};

static const char *const links[] = { "test-restore", NULL };

static void report(const struct drill_result *r)
{
    char text[TEXT_SHORT], when[CLOCK_TEXT];

    log_say("%s", "");
    log_say("📊 Drill Report:");
    log_say("   Backup: %s", r->backup);
    log_say("   Backup Date: %s UTC", clock_log(when, r->taken));
    log_say("   Database Size: %s (uncompressed)", text_size(text, r->database_size));
    log_say("   Rows: %s (%s)", text_count(text, r->n_rows),
            r->proven ? "each compared with the dump's, and equal" : "counted; there was nothing to compare with");
    for (size_t i = 0; i < r->n_phases; i++)
        log_say("   Time to %s: %s", r->phases[i].name, text_duration(text, r->phases[i].seconds));
    if (opt.keep)
        log_say("   Kept as database: %s", r->database);
    log_say("%s", "");
    log_say("⏱️  Recovery takes %s", text_duration(text, r->recovery_seconds));
    log_say("🕳️  Lost would be what happened in the last %s",
            text_duration(text, (double)(clock_now() - r->taken)));
    log_say("✅ Drill completed successfully");
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    struct drill_params p = { .settings = ctx->settings, .smoke_sql = opt.smoke_sql, .keep = opt.keep };
    struct drill_result result;
    int rc;

    log_verbose(opt.verbose);
    if (argc > 1)
        return err_set(err, ERR_USAGE, "one backup at a time: %s", argv[1]);
    if (!opt.jobs_given && settings_int(ctx->settings, SETTING_JOBS, 0, 256, &opt.jobs, err) < 0)
        return -1;
    p.jobs = opt.jobs > 0 ? (unsigned)opt.jobs : os_cpus();
    p.what = argc == 1 ? argv[0] : NULL;
    log_say("🧪 Starting restore drill...");
    log_say("%s", "");
    rc = drill_run(&p, &result, err);
    if (rc == 0)
        report(&result);
    drill_release(&result);
    return rc;
}

APPLET(drill, .summary = "rehearse a recovery and prove it", .usage = usage, .examples = examples, .options = options,
       .exits = exits, .wants_settings = true, .links = links, .run = run);
