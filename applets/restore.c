/* SPDX-License-Identifier: PostgreSQL */
/* restore.c - put a backup in place of a database. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applets/applet.h"
#include "core/backup/audit.h"
#include "core/backup/choice.h"
#include "core/backup/integrity.h"
#include "core/backup/places.h"
#include "core/backup/restoration.h"
#include "core/backup/settings.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"

static const char usage[] =
    "restore [OPTIONS] BACKUP-FILE\n"
    "\n"
    "Replaces the environment's database by what the backup holds. It asks first, verifies the backup, saves the present\n"
    "database, restores under a working name, compares every row, and only then gives the new database its name. When\n"
    "anything fails after the old one was dropped, the old one is put back. The file may be a custom archive or plain\n"
    "SQL, compressed or not, by sfb or by pg_dump.\n";

static const char examples[] =
    "# Restore to the staging environment (the default: safe testing)\nsfb restore /tmp/backup-20251023-143215.dump\n"
    "# Without a question, for scripts\nsfb restore --force --environment staging /tmp/backup.dump\n"
    "# What would happen?\nsfb restore --dry-run /tmp/backup.dump\n"
    "# The newest backup from before a moment, beside the one that is named\n"
    "sfb restore --point-in-time 2025-10-23T12:00:00Z /var/backups/signupflow/backup-20251023-143215.dump\n";

static struct {
    const char *environment, *moment;
    int jobs;
    bool force, verify, dry_run, proof, pre_restore, role_login, verbose, jobs_given;
} opt = { .environment = "staging", .verify = true, .proof = true, .pre_restore = true };

static const struct opt options[] = {
    OPT_TEXT('e', "environment", "ENV", &opt.environment, "target environment: staging, production\n(default staging)"),
    OPT_FLAG(0, "force", &opt.force, "skip confirmation prompts (dangerous)"),
    OPT_FLAG(0, "verify", &opt.verify, "verify backup before restore (default; --no-verify)"),
    OPT_FLAG(0, "dry-run", &opt.dry_run, "simulate restore without modifying database"),
    OPT_TEXT('p', "point-in-time", "TIME", &opt.moment,
             "restore the newest backup that is not from after\nTIME (ISO 8601, UTC unless it says otherwise)"),
    OPT_FLAG(0, "proof", &opt.proof, "compare every row afterwards (default); with\n--no-proof row counts only"),
    OPT_FLAG(0, "pre-restore", &opt.pre_restore,
             "save the present database first (default);\n--no-pre-restore for one that can't be dumped"),
    OPT_FLAG(0, "role-login", &opt.role_login, "roles that are created may log in, if they could"),
    OPT_INT('j', "jobs", "N", 1, 256, &opt.jobs, &opt.jobs_given, "restore jobs (default: one for each processor)"),
    OPT_FLAG('v', "verbose", &opt.verbose, "verbose output (debugging)"),
    OPT_END,
};

static const struct exit_map exits[] = {
    { ERR_NOT_FOUND, 1, "backup file not found" },
    { ERR_DAMAGED, 2, "backup verification failure" },
    { ERR_CONNECT, 3, "database connection failure" },
    { ERR_NONE, 4, "pg_restore execution failure" },
    { ERR_PROOF, 5, "data integrity verification failure" },
    { ERR_CANCELLED, 6, "user cancelled operation" },
    { ERR_CONFIG, 7, "invalid configuration" },
    { ERR_USAGE, 7, NULL },
    EXITS_END,
};

static const char *const links[] = { "restore-database", NULL };

/* One run, and all that it holds. */
struct run {
    const struct settings *settings;
    struct places places;
    struct audit audit;
    struct os_lock lock;
    struct target *target;
    struct choice file;
    struct integrity checked;
    bool is_checked;
    int fd;
    double from;
};

/* ---- what is wanted -------------------------------------------------------------------------------------------- */

static int choose_file(struct run *r, const char *path, struct err *err)
{
    char when[CLOCK_TEXT], gap[TEXT_SHORT];
    time_t moment;

    if (opt.moment == NULL)
        return choice_named(path, &r->file, err);
    if (!clock_parse_iso(opt.moment, &moment)) {
        err_set(err, ERR_USAGE, "--point-in-time %s is no time", opt.moment);
        err_hint(err, "like this: --point-in-time 2025-10-23T12:00:00Z");
        return -1;
    }
    if (choice_for_moment(path, r->places.cache, moment, &r->file, err) < 0)
        return -1;
    log_say("🕒 Point in time: %s UTC", clock_log(when, moment));
    log_say("   Chosen: %s (%s)", r->file.path,
            r->file.another ? "the newest backup that is not from after it" : "the one you named is the newest that serves");
    log_say("   It holds the database as it was at %s UTC. What happened in the %s from then to the point in time",
            clock_log(when, r->file.taken), text_duration(gap, (double)(moment - r->file.taken)));
    log_say("   is not in it and can't be recovered: a dump can't be rolled forward.");
    log_say("%s", "");
    return 0;
}

static int prepare(struct run *r, int argc, char **argv, struct err *err)
{
    if (argc != 1) {
        err_set(err, ERR_USAGE, argc == 0 ? "which backup is to be restored?" : "one backup at a time: %s", argv[argc > 1]);
        err_hint(err, "sfb restore [OPTIONS] BACKUP-FILE; `sfb list` shows the local cache");
        return -1;
    }
    if (places_check_environment(opt.environment, err) < 0)
        return -1;
    if (text_starts(argv[0], "s3://")) {
        err_set(err, ERR_CONFIG, "no store is configured, so %s can't be fetched", argv[0]);
        err_hint(err, "download it, its .manifest.json and its .globals.sql, then restore the file");
        return -1;
    }
    if (!opt.jobs_given && settings_int(r->settings, SETTING_JOBS, 0, 256, &opt.jobs, err) < 0)
        return -1;
    if (opt.jobs == 0)
        opt.jobs = (int)os_cpus();
    if (places_open(r->settings, &r->places, err) < 0 ||
        places_lock(r->settings, &r->places, opt.environment, &r->lock, err) < 0)
        return -1;
    r->target = places_target(r->settings, opt.environment, err);
    if (r->target == NULL || choose_file(r, argv[0], err) < 0)
        return -1;
    audit_open(&r->audit, r->settings, &r->places, "restore");
    return 0;
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

static void announce(const struct run *r)
{
    char when[CLOCK_TEXT], size[TEXT_SHORT];
    struct buf database;

    buf_init(&database, 4096);
    target_describe(r->target, &database);
    if (opt.dry_run) {
        log_say("🔍 DRY RUN: the database will not be modified");
    } else {
        log_say("⚠️  DATABASE RESTORE OPERATION ⚠️");
        log_say("%s", "");
        log_say("You are about to OVERWRITE the database with data from backup.");
        log_say("This operation is IRREVERSIBLE and will DELETE all current data.");
    }
    log_say("%s", "");
    log_say("📋 Restore Details:");
    log_say("   Backup File: %s", r->file.path);
    log_say("   Backup Date: %s UTC", clock_log(when, r->file.taken));
    log_say("   Backup Size: %s", text_size(size, r->file.size));
    log_say("   Target Environment: %s", opt.environment);
    log_say("   Target Database: %s", database.data);
    log_say("%s", "");
    buf_release(&database);
}

/* The answer's first letter; 'n' at the end of the input. The terminal gives whole lines. */
static char read_answer(void)
{
    char answer[64];
    ssize_t n = read(STDIN_FILENO, answer, sizeof answer - 1);

    if (n <= 0)
        return 'n';
    answer[n] = '\0';
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0 ? 'y' : 'n';
}

static int confirm(struct err *err)
{
    char answer;

    if (opt.force || opt.dry_run || !isatty(STDIN_FILENO))
        return 0; /* where nobody can answer, the backup is verified, and then it ends: refuse_unasked */
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

static int refuse_unasked(struct err *err)
{
    if (opt.force || opt.dry_run || isatty(STDIN_FILENO))
        return 0;
    err_set(err, ERR_CANCELLED, "nobody is at the terminal to confirm; nothing was touched");
    err_hint(err, "--force restores without asking");
    return -1;
}

/* ---- the steps ------------------------------------------------------------------------------------------------- */

static int verify(struct run *r, struct err *err)
{
    struct integrity_params p = {
        .depth = opt.verify ? CHECK_ALL : CHECK_QUICK,
        .jobs = (unsigned)opt.jobs,
        .bindir = settings_get(r->settings, SETTING_PG_BINDIR),
    };

    if (opt.verify)
        log_step("Verifying backup integrity...");
    r->is_checked = true;
    if (integrity_check(r->file.path, &p, &r->checked, &r->fd, err) < 0)
        return -1;
    if (opt.verify)
        log_step("✅ Backup verification successful");
    return 0;
}

static int restore(struct run *r, struct restoration_result *result, struct err *err)
{
    char *globals = manifest_globals_path_of(r->file.path);
    struct restoration_params p = {
        .target = r->target,
        .path = r->file.path,
        .fd = r->fd,
        .checked = &r->checked,
        .globals_path = globals != NULL && access(globals, F_OK) == 0 ? globals : NULL,
        .work_dir = r->places.work,
        .app = settings_get(r->settings, SETTING_APP),
        .environment = opt.environment,
        .bindir = settings_get(r->settings, SETTING_PG_BINDIR),
        .jobs = (unsigned)opt.jobs,
        .dry_run = opt.dry_run,
        .unsaved = !opt.pre_restore,
        .counts_only = !opt.proof,
        .create_logins = opt.role_login,
    };
    int rc = settings_int(r->settings, SETTING_LOCK_TIMEOUT, 0, 86400, &p.lock_timeout, err);

    if (rc == 0)
        rc = restoration_run(&p, result, err);
    free(globals);
    return rc;
}

static void summarise(const struct run *r, const struct restoration_result *result)
{
    char when[CLOCK_TEXT], text[TEXT_SHORT];

    log_say("%s", "");
    log_say("📊 Restore Summary:");
    log_say("   Backup File: %s", os_basename(r->file.path));
    log_say("   Backup Date: %s UTC", clock_log(when, r->file.taken));
    log_say("   Restore Duration: %s", text_duration(text, clock_monotonic() - r->from));
    log_say("   Database Size: %s (uncompressed)", text_size(text, result->database_size));
    log_say("   Tables Restored: %s", text_count(text, result->tables));
    log_say("   Rows Restored: %s", text_count(text, result->rows));
    log_say("%s", "");
    log_say("✅ Database restore completed successfully");
}

static int work(struct run *r, struct err *err)
{
    struct restoration_result result = { 0 };
    char duration[TEXT_SHORT];
    int rc = -1;

    if (!opt.dry_run)
        audit_event(&r->audit, AUDIT_WARNING, "Restore initiated (user: %s, backup: %s, target: %s)", os_user(),
                    os_basename(r->file.path), opt.environment);
    log_say("🔄 Starting database restore...");
    log_say("%s", "");
    r->from = clock_monotonic();
    if (verify(r, err) < 0 || refuse_unasked(err) < 0)
        goto out;
    rc = restore(r, &result, err);
    if (rc == 0 && !opt.dry_run) {
        audit_event(&r->audit, AUDIT_INFO, "Restore completed (duration: %s)",
                    text_duration(duration, clock_monotonic() - r->from));
        if (result.proven)
            audit_event(&r->audit, AUDIT_INFO, "Data integrity verification successful");
        summarise(r, &result);
    }
out:
    if (rc < 0 && !opt.dry_run)
        audit_event(&r->audit, AUDIT_ERROR, "Restore failed (%s)%s", err->message,
                    result.put_back ? "; the previous database was put back" : "");
    restoration_release(&result);
    return rc;
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    struct run r = { .settings = ctx->settings, .lock = OS_LOCK_NONE, .fd = -1 };
    int rc = -1;

    log_verbose(opt.verbose);
    if (prepare(&r, argc, argv, err) == 0) {
        announce(&r);
        if (confirm(err) == 0)
            rc = work(&r, err);
    }
    if (r.is_checked)
        integrity_release(&r.checked);
    if (r.fd >= 0)
        close(r.fd);
    choice_release(&r.file);
    target_free(r.target);
    audit_close(&r.audit);
    os_lock_release(&r.lock);
    places_release(&r.places);
    return rc;
}

APPLET(restore, .summary = "put a backup in place of a database", .usage = usage, .examples = examples, .options = options,
       .exits = exits, .wants_settings = true, .links = links, .run = run);
