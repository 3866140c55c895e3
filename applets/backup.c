/* SPDX-License-Identifier: PostgreSQL */
/* backup.c - dump a database, prove the dump is whole, keep it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/applet.h"
#include "core/backup/making.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/watch/watch.h"

static const char usage[] =
    "backup [OPTIONS]\n"
    "\n"
    "Dumps the environment's database in one snapshot, counting and fingerprinting every row on the way, verifies what\n"
    "was written and keeps it, together with a manifest and the cluster's roles. Nothing appears under its name before\n"
    "it is whole. `sfb config` shows the settings this uses, and where each comes from.\n"
    "\n"
    "With --stream no file of it is ever on this host, and none goes into the cache: pg_dump's output is counted,\n"
    "compressed, verified and uploaded as it passes, in at most 200 MiB of memory.\n";

static const char examples[] =
    "# Local backup only (no S3 upload)\nsfb backup --local-only\n"
    "# Staging backup\nsfb backup --environment staging --local-only\n"
    "# High compression (slower but smaller)\nsfb backup --compression 9 --local-only\n"
    "# Into a directory in place of a bucket\nSFB_BUCKET=file:///mnt/backups sfb backup\n"
    "# No disk for a dump: from the database into the bucket\nsfb backup --stream\n"
    "# Before a migration, kept until somebody deletes it\nsfb backup --label pre-migration --local-only\n";

static struct {
    const char *environment, *format, *method, *label;
    int level, retention, jobs;
    bool level_given, retention_given, jobs_given, local_only, stream, read_back, verbose;
} opt = { .environment = "production", .format = "custom", .level = 6, .retention = 30, .read_back = true };

static const struct opt options[] = {
    OPT_TEXT('e', "environment", "ENV", &opt.environment,
             "target environment: staging, production\n(default production)"),
    OPT_TEXT('f', "format", "FORMAT", &opt.format, "backup format: custom (default), sql"),
    OPT_INT('c', "compression", "LEVEL", 0, 9, &opt.level, &opt.level_given, "compression level 0-9 (default 6)"),
    OPT_TEXT(0, "compress-method", "METHOD", &opt.method,
             "gzip (default), zstd (servers 16 and newer; default\nlevel 1), none"),
    OPT_FLAG(0, "local-only", &opt.local_only, "skip S3 upload (local backup only)"),
    OPT_FLAG(0, "stream", &opt.stream, "keep no file here: from pg_dump into the store"),
    OPT_FLAG(0, "read-back", &opt.read_back,
             "verify what --stream has uploaded by reading it, where that is allowed (default; --no-read-back)"),
    OPT_TEXT(0, "label", "LABEL", &opt.label, "name it LABEL-... and keep it until it is deleted by hand"),
    OPT_INT('r', "retention-days", "DAYS", 1, 36500, &opt.retention, &opt.retention_given,
            "days to keep it (default 30; staging 7)"),
    OPT_INT('j', "jobs", "N", 1, 256, &opt.jobs, &opt.jobs_given,
            "compression threads (default: one for each processor)"),
    OPT_FLAG('v', "verbose", &opt.verbose, "verbose output (debugging)"),
    OPT_END,
};

static const struct exit_map exits[] = {
    { ERR_CONNECT, 1, "database connection failure" },
    { ERR_NONE, 2, "pg_dump execution failure" },
    { ERR_UPLOAD, 3, "S3 upload failure" },
    { ERR_STORE, 3, NULL },
    { ERR_DAMAGED, 4, "backup verification failure" },
    { ERR_SPACE, 5, "insufficient disk space" },
    { ERR_CONFIG, 6, "invalid configuration" },
    { ERR_USAGE, 6, NULL },
    EXITS_BUSY,
    EXITS_END,
};

static const char *const links[] = { "backup-database", NULL };

/* ---- what is wanted -------------------------------------------------------------------------------------------- */

static int parse_method(struct making_params *p, struct err *err)
{
    const char *method = opt.method != NULL ? opt.method : "gzip";
    int level = opt.level_given || strcmp(method, "zstd") != 0 ? opt.level : 1;

    if (strcmp(method, "gzip") == 0)
        p->method = METHOD_GZIP;
    else if (strcmp(method, "zstd") == 0)
        p->method = METHOD_ZSTD;
    else if (strcmp(method, "none") == 0)
        level = 0;
    else
        return err_set(err, ERR_USAGE, "there is no compression method %s: gzip, zstd, none", method);
    if (p->method == METHOD_ZSTD && p->format == FORMAT_SQL)
        return err_set(err, ERR_USAGE, "--format sql is compressed with gzip or not at all");
    if (level == 0)
        p->method = METHOD_NONE;
    p->level = level;
    return 0;
}

static int parse_wishes(const struct settings *settings, struct making_params *p, struct err *err)
{
    *p = (struct making_params){
        .settings = settings,
        .environment = opt.environment,
        .label = opt.label,
        .local_only = opt.local_only,
        .stream = opt.stream,
        .read_back = opt.read_back,
    };
    if (places_check_environment(opt.environment, err) < 0)
        return -1;
    if (strcmp(opt.format, "sql") == 0)
        p->format = FORMAT_SQL;
    else if (strcmp(opt.format, "custom") != 0)
        return err_set(err, ERR_USAGE, "there is no backup format %s: custom, sql", opt.format);
    if (opt.stream && opt.local_only)
        return err_set(err, ERR_USAGE, "--stream keeps nothing here, and --local-only nothing elsewhere");
    if (opt.stream && p->format == FORMAT_SQL) {
        err_set(err, ERR_USAGE, "--stream carries custom archives, not plain SQL");
        err_hint(err, "an archive becomes SQL at any time: sfb pg_restore -f - BACKUP");
        return -1;
    }
    if (opt.label != NULL && manifest_check_label(opt.label, err) < 0)
        return -1;
    if (settings_jobs(settings, opt.jobs_given ? &opt.jobs : NULL, &p->jobs, err) < 0)
        return -1;
    p->retention_days = !opt.retention_given && strcmp(opt.environment, "staging") == 0 ? 7 : opt.retention;
    return parse_method(p, err);
}

/* ---- what is said ---------------------------------------------------------------------------------------------- */

static void announce(const struct making_params *p)
{
    log_say("🔄 Starting database backup...");
    log_say("📋 Environment: %s", p->environment);
    log_say("📦 Format: %s", p->format == FORMAT_CUSTOM ? "custom (PostgreSQL binary)" : "sql (plain SQL script)");
    if (p->method == METHOD_NONE)
        log_say("🗜️ Compression: none");
    else
        log_say("🗜️ Compression: %slevel %d", p->method == METHOD_ZSTD ? "zstd " : "", p->level);
    log_say("%s", "");
}

static void summarise(const struct making_result *result)
{
    const struct manifest *m = &result->manifest;
    char size[TEXT_SHORT], duration[TEXT_SHORT], expiry[CLOCK_TEXT];

    log_say("%s", "");
    log_say("📊 Backup Summary:");
    log_say("   File: %s", result->path != NULL ? result->path : "none on this host");
    log_say("   Size: %s", text_size(size, m->size));
    log_say("   Duration: %s", text_duration(duration, result->seconds));
    log_say("   S3 Location: %s", result->location != NULL ? result->location : "none (--local-only)");
    if (result->weekly || result->monthly)
        log_say("   Promoted: %s%s%s", result->weekly ? "weekly" : "", result->weekly && result->monthly ? ", " : "",
                result->monthly ? "monthly" : "");
    if (m->retention_days > 0)
        log_say("   Retention: %d days (expires %s)", m->retention_days, clock_date(expiry, m->expires));
    else
        log_say("   Retention: kept until it is deleted by hand");
    log_say("%s", "");
    log_say("✅ Backup completed successfully");
}

/* ---- what is remembered ---------------------------------------------------------------------------------------- */

static int note_wishes(struct run *r, const struct making_params *p, struct err *err)
{
    char format[TEXT_SHORT];

    snprintf(format, sizeof format, "%s %s %d", p->format == FORMAT_CUSTOM ? "custom" : "sql",
             manifest_method_name(p->method), p->level);
    r->local = p->local_only;
    return run_set(&r->format, format, err);
}

static int note_phases(struct run *r, const struct making_result *result, struct err *err)
{
    const struct {
        const char *name;
        double seconds;
    } phases[] = { { "dump", result->dump_seconds },
                   { "verify", result->verify_seconds },
                   { "upload", result->upload_seconds } };

    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++)
        if (phases[i].seconds > 0 && run_phase(r, phases[i].name, phases[i].seconds, err) < 0)
            return -1;
    return 0;
}

/* rc: how it ended, with err */
static int note_result(struct run *r, const struct making_result *result, int rc, struct err *err)
{
    const struct manifest *m = &result->manifest;
    char *name;

    r->verified = result->verified;
    r->stored = result->location != NULL;
    r->upload_failed = rc < 0 && result->verified && (err->class == ERR_UPLOAD || err->class == ERR_STORE);
    if (m->started == 0)
        return rc;
    r->taken = m->snapshot_at;
    r->size = m->size;
    r->database_size = m->database.size;
    r->tables = m->n_tables;
    r->rows = manifest_rows(m);
    name = manifest_file_name(m->label, m->started, manifest_extension_of(m->format, m->method));
    if (run_set(&r->backup, name, err) < 0 || run_set(&r->database, m->database.name, err) < 0 ||
        run_set(&r->location, r->stored ? result->location : result->path, err) < 0 ||
        run_set(&r->md5, m->md5, err) < 0 || note_phases(r, result, err) < 0)
        rc = -1;
    free(name);
    return rc;
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    struct making_params p;
    struct making_result result;
    int rc;

    log_verbose(opt.verbose);
    if (argc > 0)
        return err_set(err, ERR_USAGE, "backup takes no operands: %s", argv[0]);
    if (parse_wishes(ctx->settings, &p, err) < 0 || note_wishes(ctx->run, &p, err) < 0)
        return -1;
    if (opt.label != NULL && opt.retention_given && opt.retention > 0)
        log_warn("--retention-days is not used: a backup with a --label is kept until it is deleted by hand");
    watch_begin(ctx->settings, ctx->run);
    announce(&p);
    rc = making_run(&p, &result, err);
    rc = note_result(ctx->run, &result, rc, err);
    if (rc == 0)
        summarise(&result);
    making_release(&result);
    return rc;
}

APPLET(backup, .summary = "dump a database and keep the dump", .usage = usage, .examples = examples, .options = options,
       .exits = exits, .wants_settings = true, .watched = RUN_BACKUP, .environment = &opt.environment, .links = links,
       .run = run);
