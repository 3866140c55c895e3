/* SPDX-License-Identifier: PostgreSQL */
/* backup.c - dump a database, prove the dump is whole, keep it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applets/applet.h"
#include "core/backup/audit.h"
#include "core/backup/catalog.h"
#include "core/backup/integrity.h"
#include "core/backup/places.h"
#include "core/backup/settings.h"
#include "core/backup/snapshot.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"

static const char usage[] =
    "backup [OPTIONS]\n"
    "\n"
    "Dumps the environment's database in one snapshot, counting and fingerprinting every row on the way, verifies what\n"
    "was written and keeps it, together with a manifest and the cluster's roles. Nothing appears under its name before\n"
    "it is whole. `sfb config` shows the settings this uses, and where each comes from.\n";

static const char examples[] =
    "# Local backup only (no S3 upload)\nsfb backup --local-only\n"
    "# Staging backup\nsfb backup --environment staging --local-only\n"
    "# High compression (slower but smaller)\nsfb backup --compression 9 --local-only\n"
    "# Before a migration, kept until somebody deletes it\nsfb backup --label pre-migration --local-only\n";

static struct {
    const char *environment, *format, *method, *label;
    int level, retention, jobs;
    bool level_given, retention_given, jobs_given, local_only, verbose;
} opt = { .environment = "production", .format = "custom", .level = 6, .retention = 30 };

static const struct opt options[] = {
    OPT_TEXT('e', "environment", "ENV", &opt.environment, "target environment: staging, production\n(default production)"),
    OPT_TEXT('f', "format", "FORMAT", &opt.format, "backup format: custom (default), sql"),
    OPT_INT('c', "compression", "LEVEL", 0, 9, &opt.level, &opt.level_given, "compression level 0-9 (default 6)"),
    OPT_TEXT(0, "compress-method", "METHOD", &opt.method,
             "gzip (default), zstd (servers 16 and newer; default\nlevel 1), none"),
    OPT_FLAG(0, "local-only", &opt.local_only, "skip S3 upload (local backup only)"),
    OPT_TEXT(0, "label", "LABEL", &opt.label, "name it LABEL-... and keep it until it is deleted by hand"),
    OPT_INT('r', "retention-days", "DAYS", 1, 36500, &opt.retention, &opt.retention_given,
            "days to keep it (default 30; staging 7)"),
    OPT_INT('j', "jobs", "N", 1, 256, &opt.jobs, &opt.jobs_given, "compression threads (default: one for each processor)"),
    OPT_FLAG('v', "verbose", &opt.verbose, "verbose output (debugging)"),
    OPT_END
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
    EXITS_END
};

static const char *const links[] = { "backup-database", NULL };

/* One run, and all that it holds. */
struct run {
    const struct settings *settings;
    struct places places;
    struct audit audit;
    struct os_lock lock;
    struct target *target;
    struct dump *dump;
    struct snapshot_params params;
    struct snapshot snapshot;
    bool taken;       /* snapshot holds files */
    double from;
};

/* ---- what is wanted -------------------------------------------------------------------------------------------- */

static int parse_method(struct run *r, struct err *err)
{
    const char *method = opt.method != NULL ? opt.method : "gzip";
    int level = opt.level_given || strcmp(method, "zstd") != 0 ? opt.level : 1;

    if (strcmp(method, "gzip") == 0)
        r->params.method = level > 0 ? METHOD_GZIP : METHOD_NONE;
    else if (strcmp(method, "zstd") == 0)
        r->params.method = level > 0 ? METHOD_ZSTD : METHOD_NONE;
    else if (strcmp(method, "none") == 0)
        r->params.method = METHOD_NONE;
    else
        return err_set(err, ERR_USAGE, "there is no compression method %s: gzip, zstd, none", method);
    r->params.level = r->params.method == METHOD_NONE ? 0 : level;
    if (r->params.method == METHOD_ZSTD && r->params.format == FORMAT_SQL)
        return err_set(err, ERR_USAGE, "--format sql is compressed with gzip or not at all");
    return 0;
}

static int parse_wishes(struct run *r, struct err *err)
{
    struct snapshot_params *p = &r->params;

    if (places_check_environment(opt.environment, err) < 0)
        return -1;
    if (strcmp(opt.format, "custom") == 0)
        p->format = FORMAT_CUSTOM;
    else if (strcmp(opt.format, "sql") == 0)
        p->format = FORMAT_SQL;
    else
        return err_set(err, ERR_USAGE, "there is no backup format %s: custom, sql", opt.format);
    if (opt.label != NULL && manifest_check_label(opt.label, err) < 0)
        return -1;
    if (!opt.local_only) {
        err_set(err, ERR_CONFIG, "no store is configured to upload to");
        err_hint(err, "add --local-only to keep the backup on this host");
        return -1;
    }
    if (!opt.jobs_given && settings_int(r->settings, SETTING_JOBS, 0, 256, &opt.jobs, err) < 0)
        return -1;
    p->environment = opt.environment;
    p->label = opt.label;
    p->app = settings_get(r->settings, SETTING_APP);
    p->jobs = opt.jobs > 0 ? (unsigned)opt.jobs : os_cpus();
    p->retention_days = !opt.retention_given && strcmp(opt.environment, "staging") == 0 ? 7 : opt.retention;
    return parse_method(r, err);
}

static void announce(const struct run *r)
{
    const struct snapshot_params *p = &r->params;

    log_say("🔄 Starting database backup...");
    log_say("📋 Environment: %s", p->environment);
    log_say("📦 Format: %s", p->format == FORMAT_CUSTOM ? "custom (PostgreSQL binary)" : "sql (plain SQL script)");
    if (p->method == METHOD_NONE)
        log_say("🗜️ Compression: none");
    else
        log_say("🗜️ Compression: %slevel %d", p->method == METHOD_ZSTD ? "zstd " : "", p->level);
    log_say("%s", "");
}

/* ---- the steps ------------------------------------------------------------------------------------------------- */

static int prepare(struct run *r, struct err *err)
{
    char *prefix;

    if (places_open(r->settings, &r->places, err) < 0 ||
        places_lock(r->settings, &r->places, opt.environment, &r->lock, err) < 0)
        return -1;
    r->target = places_target(r->settings, opt.environment, err);
    if (r->target == NULL)
        return -1;
    audit_open(&r->audit, r->settings, &r->places, "backup");
    if (asprintf(&prefix, "%s-", r->params.app) < 0)
        return err_no_memory(err);
    r->params.prefix = prefix;
    r->params.directory = r->places.work;
    os_sweep_partials(r->places.work, prefix);
    return 0;
}

static int connect_database(struct run *r, struct err *err)
{
    struct dump_params p = {
        .target = r->target,
        .bindir = settings_get(r->settings, SETTING_PG_BINDIR),
        .check_privileges = true,
    };

    if (settings_int(r->settings, SETTING_LOCK_TIMEOUT, 0, 86400, &p.lock_timeout, err) < 0)
        return -1;
    log_step("Connecting to database...");
    r->dump = dump_open(&p, err);
    if (r->dump == NULL)
        return -1;
    log_step("Connection established");
    if (r->params.method == METHOD_ZSTD && dump_get_facts(r->dump)->server_version_num < 160000) {
        err_set(err, ERR_CONFIG, "the server is %s, and its own pg_restore can't read zstd",
                dump_get_facts(r->dump)->server_version);
        err_hint(err, "leave out --compress-method: gzip is read by every version");
        return -1;
    }
    r->params.dump = r->dump;
    return snapshot_check_space(&r->params, err);
}

static int take(struct run *r, struct err *err)
{
    char duration[TEXT_SHORT], size[TEXT_SHORT], *blank;
    const struct manifest *m = &r->snapshot.manifest;

    log_step("Starting pg_dump...");
    r->params.started = clock_now();
    if (snapshot_take(&r->params, &r->snapshot, err) < 0)
        return -1;
    r->taken = true;
    text_duration(duration, m->dump_seconds);
    text_size(size, m->size);
    log_step("Backup completed (%s)", duration);
    log_step("Backup size: %s (%s)", size, m->method == METHOD_NONE ? "not compressed" : "compressed");
    blank = strchr(size, ' '); /* the contract's audit log says 1.2GB where its output says 1.2 GB */
    if (blank != NULL)
        memmove(blank, blank + 1, strlen(blank));
    audit_event(&r->audit, AUDIT_INFO, "Backup completed (duration: %s, size: %s)", duration, size);
    return 0;
}

static int verify(struct run *r, struct err *err)
{
    struct integrity_params p = { .depth = CHECK_ALL, .jobs = r->params.jobs, .bindir = settings_get(r->settings, SETTING_PG_BINDIR) };
    struct integrity found;
    int rc;

    log_step("Verifying backup integrity...");
    rc = integrity_check(r->snapshot.path, &p, &found, NULL, err);
    integrity_release(&found);
    if (rc < 0)
        return -1;
    log_step("✅ Backup verification successful");
    audit_event(&r->audit, AUDIT_INFO, "Backup verification successful (checksum: %s)", r->snapshot.manifest.md5);
    return 0;
}

/* The backup is good whatever happens to its copy in the cache. */
static int keep(struct run *r, struct err *err)
{
    const struct snapshot *s = &r->snapshot;
    struct err trouble = { 0 };
    int cached;

    if (r->places.cache == NULL)
        return 0;
    if (settings_int(r->settings, SETTING_CACHE_KEEP, 1, 100000, &cached, err) < 0)
        return -1;
    if (catalog_cache_add(r->places.cache, &s->manifest, s->path, s->globals_path, NULL, &trouble) < 0 ||
        catalog_cache_trim(r->places.cache, opt.environment, (size_t)cached, &trouble) < 0)
        log_warn("the local cache is not up to date: %s", trouble.message);
    return 0;
}

static void summarise(const struct run *r)
{
    const struct manifest *m = &r->snapshot.manifest;
    char size[TEXT_SHORT], duration[TEXT_SHORT], expiry[CLOCK_TEXT];

    log_say("%s", "");
    log_say("📊 Backup Summary:");
    log_say("   File: %s", r->snapshot.path);
    log_say("   Size: %s", text_size(size, m->size));
    log_say("   Duration: %s", text_duration(duration, clock_monotonic() - r->from));
    log_say("   S3 Location: none (--local-only)");
    if (m->retention_days > 0)
        log_say("   Retention: %d days (expires %s)", m->retention_days, clock_date(expiry, m->expires));
    else
        log_say("   Retention: kept until it is deleted by hand");
    log_say("%s", "");
    log_say("✅ Backup completed successfully");
}

static int back_up(struct run *r, struct err *err)
{
    audit_event(&r->audit, AUDIT_INFO, "Backup started (user: %s, pid: %d)", os_user(), (int)getpid());
    if (connect_database(r, err) < 0 || take(r, err) < 0 || verify(r, err) < 0 || keep(r, err) < 0) {
        if (r->taken)
            snapshot_remove_files(&r->snapshot);
        audit_event(&r->audit, AUDIT_ERROR, "Backup failed (%s)", err->message);
        return -1;
    }
    summarise(r);
    return 0;
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    struct run r = { .settings = ctx->settings, .lock = OS_LOCK_NONE, .from = clock_monotonic() };
    int rc = -1;

    log_verbose(opt.verbose);
    if (argc > 0) {
        err_set(err, ERR_USAGE, "backup takes no operands: %s", argv[0]);
        goto out;
    }
    if (parse_wishes(&r, err) < 0 || prepare(&r, err) < 0)
        goto out;
    announce(&r);
    rc = back_up(&r, err);
out:
    if (r.taken)
        snapshot_release(&r.snapshot);
    dump_close(r.dump);
    target_free(r.target);
    audit_close(&r.audit);
    os_lock_release(&r.lock);
    places_release(&r.places);
    free((char *)r.params.prefix);
    return rc;
}

APPLET(backup, .summary = "dump a database and keep the dump", .usage = usage, .examples = examples, .options = options,
       .exits = exits, .wants_settings = true, .links = links, .run = run);
