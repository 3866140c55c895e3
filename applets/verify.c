/* SPDX-License-Identifier: PostgreSQL */
/* verify.c - is this backup whole, and is it what it says it is? */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/applet.h"
#include "core/backup/auditing.h"
#include "core/backup/fetch.h"
#include "core/backup/integrity.h"
#include "core/backup/repository.h"
#include "core/backup/settings.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/watch/watch.h"

static const char usage[] =
    "verify [OPTIONS] BACKUP...\n"
    "verify --audit [FILE...]\n"
    "\n"
    "Reads backups and checks every byte of them: the checksum and the database's name, version and time against the\n"
    "manifest beside the file, the table of contents with pg_restore --list, every block of data inflated, every row\n"
    "counted and fingerprinted. Any archive of pg_dump -Fc will do, with or without a manifest; latest, latest@weekly\n"
    "are production's newest in the store. Of several backups each is checked, and the worst decides the exit code.\n"
    "\n"
    "With --audit: is the chained audit log (LOG_DIR/APP-audit.jsonl and its rotated files, or FILEs) what was written,\n"
    "line for line? Compared with the head beside it, with the manifests in the local cache, and with those of a store.\n";

static const char examples[] =
    "# All of it\nsfb verify /var/backups/signupflow/backup-20251023-143215.dump\n"
    "# In the bucket, without downloading it to a file\nsfb verify "
    "s3://signupflow-backups/production/daily/backup-20251023-143215.dump\nsfb verify latest\n"
    "# Table of contents and checksum only\nsfb verify --quick backup.dump\n"
    "# The audit log, compared with what the bucket's manifests say of it\n"
    "sfb verify --audit --against s3://signupflow-backups\n";

#define VISIBLE_MAX 65536

static struct {
    bool quick, json, verbose, audit;
    const char *against, *head;
    int jobs;
    bool jobs_given;
} opt;

static const struct opt options[] = {
    OPT_FLAG('q', "quick", &opt.quick, "table of contents and checksum only"),
    OPT_FLAG(0, "json", &opt.json, "print the result as JSON"),
    OPT_INT('j', "jobs", "N", 1, 256, &opt.jobs, &opt.jobs_given, "threads (default: one for each processor)"),
    OPT_FLAG(0, "audit", &opt.audit, "verify the audit log instead of backups"),
    OPT_TEXT(0, "against", "STORE", &opt.against, "with --audit: compare with the manifests in a store too"),
    OPT_TEXT(0, "head", "HEAD", &opt.head, "with --audit: an entry that must be there, as a syslog\nmessage names it"),
    OPT_FLAG('v', "verbose", &opt.verbose, "verbose output (debugging)"),
    OPT_END,
};

static const struct exit_map exits[] = {
    { ERR_NOT_FOUND, 1, "backup, or audit log, not found" },
    { ERR_DAMAGED, 2, "damaged, or not what its manifest says" },
    { ERR_NONE, 3, "the store can't be read" },
    { ERR_CONFIG, 7, "usage or configuration" },
    { ERR_USAGE, 7, NULL },
    EXITS_END,
};

static const char *const links[] = { "verify-backup", NULL };

/* Of one that could not be looked at at all, standard error says everything; of several it has the worst alone. */
static void print_text(const char *path, const struct integrity *found, bool alone, const struct err *err)
{
    if (alone && found->n_lines == 0)
        return;
    log_say("%s", path);
    for (size_t i = 0; i < found->n_lines; i++)
        log_say("   %s %-20s %s", found->lines[i].good ? "✅" : "❌", found->lines[i].name, found->lines[i].detail);
    if (err->class != ERR_NONE && (found->n_lines == 0 || found->lines[found->n_lines - 1].good))
        log_say("   ❌ %-20s %s", "not verified", err->message);
    if (err->class == ERR_NONE)
        log_say("✅ Backup verification successful");
    else
        log_say("❌ Backup verification failed");
}

/* Names and messages come from files that may be broken: what is no UTF-8 would break the document. */
static void add_text(cJSON *object, const char *member, const char *text)
{
    struct buf visible;

    buf_init(&visible, VISIBLE_MAX);
    text_visible(&visible, text);
    cJSON_AddStringToObject(object, member, visible.data);
    buf_release(&visible);
}

static cJSON *as_json(const char *path, const struct integrity *found, const struct err *err)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *checks = cJSON_AddArrayToObject(object, "checks");

    add_text(object, "backup", path);
    cJSON_AddBoolToObject(object, "good", err->class == ERR_NONE);
    if (err->class != ERR_NONE)
        add_text(object, "error", err->message);
    for (size_t i = 0; i < found->n_lines; i++) {
        cJSON *line = cJSON_CreateObject();

        cJSON_AddStringToObject(line, "check", found->lines[i].name);
        cJSON_AddBoolToObject(line, "good", found->lines[i].good);
        add_text(line, "detail", found->lines[i].detail);
        cJSON_AddItemToArray(checks, line);
    }
    return object;
}

static int print_json(cJSON *results, struct err *err)
{
    char *text = cJSON_Print(results);

    if (text == NULL)
        return err_no_memory(err);
    printf("%s\n", text);
    free(text);
    return 0;
}

/* *named: its URL; the caller frees. */
static int check_latest(const struct settings *settings, const char *what, const struct integrity_params *p,
                        struct integrity *found, char **named, struct err *err)
{
    struct fetch_params wanted = { .settings = settings, .what = what, .environment = "production" };
    struct fetched f;
    int rc = -1;

    if (fetch_find(&wanted, &f, err) == 0) {
        *named = strdup(f.url);
        if (!opt.json)
            log_say("Chosen: %s (%s)", f.url, f.why);
        rc = *named == NULL ? err_no_memory(err) : integrity_check_stored(f.store, f.key, NULL, p, found, err);
    }
    fetched_release(&f);
    return rc;
}

static int check(const struct settings *settings, const char *what, const struct integrity_params *p,
                 struct integrity *found, char **named, struct err *err)
{
    char *base = NULL, *key = NULL;
    struct store *store = NULL;
    int rc = -1;

    if (!fetch_is_meant(what))
        return integrity_check(what, p, found, NULL, err);
    memset(found, 0, sizeof *found);
    if (!store_is_url(what))
        return check_latest(settings, what, p, found, named, err);
    if (store_split(what, &base, &key, err) == 0 && (store = repository_open(settings, base, STORE_READ, err)) != NULL)
        rc = integrity_check_stored(store, key, NULL, p, found, err);
    store_close(store);
    free(base);
    free(key);
    return rc;
}

/* Remembered is the first backup that is bad, or else the first. */
static int note(struct run *r, const char *what, const struct integrity *found, bool good, struct err *err)
{
    if (r->backup != NULL && (good || !r->verified))
        return 0;
    r->verified = good;
    r->stored = store_is_url(what);
    r->size = found->size;
    if (run_set(&r->backup, os_basename(what), err) < 0 || run_set(&r->location, what, err) < 0)
        return -1;
    if (!found->has_manifest)
        return 0;
    r->taken = found->manifest.snapshot_at;
    r->tables = found->manifest.n_tables;
    r->rows = manifest_rows(&found->manifest);
    return run_set(&r->environment, found->manifest.environment, err) < 0
             ? -1
             : run_set(&r->database, found->manifest.database.name, err);
}

static int verify_audit(const struct context *ctx, char **paths, size_t n, struct err *err)
{
    struct auditing_params p = {
        .settings = ctx->settings, .paths = paths, .n = n, .against = opt.against, .head = opt.head, .json = opt.json
    };
    struct buf report;
    int rc;

    buf_init(&report, 16 * 1024 * 1024);
    rc = auditing_run(&p, &report, err);
    fputs(report.data, stdout);
    buf_release(&report);
    return rc;
}

/* Of a lost backup there may be a copy, and a store comes back: a damaged one is the worst that can be found. */
static int badness(const struct err *err)
{
    switch (err->class) {
    case ERR_NONE:
        return 0;
    case ERR_NOT_FOUND:
        return 1;
    case ERR_DAMAGED:
        return 3;
    case ERR_SIGNAL:
        return 4;
    default: /* the store */
        return 2;
    }
}

/* Goes on to the next backup after a bad one; the worst failure is the command's result. */
static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    struct integrity_params p = { .depth = opt.quick ? CHECK_QUICK : CHECK_ALL,
                                  .bindir = settings_get(ctx->settings, SETTING_PG_BINDIR) };
    cJSON *results = NULL;
    int rc = 0;

    log_verbose(opt.verbose);
    if (opt.audit)
        return verify_audit(ctx, argv, (size_t)argc, err);
    if (opt.against != NULL || opt.head != NULL)
        return err_set(err, ERR_USAGE, "--against and --head go with --audit");
    if (argc == 0)
        return err_set(err, ERR_USAGE, "which backup?");
    if (settings_jobs(ctx->settings, opt.jobs_given ? &opt.jobs : NULL, &p.jobs, err) < 0)
        return -1;
    watch_begin(ctx->settings, ctx->run);
    if (opt.json)
        results = cJSON_CreateArray();

    for (int i = 0; i < argc; i++) {
        struct integrity found;
        struct err one = { 0 };
        char *named = NULL;
        const char *what;

        if (check(ctx->settings, argv[i], &p, &found, &named, &one) < 0 && badness(&one) > badness(err)) {
            *err = one;
            rc = -1;
        }
        what = named != NULL ? named : argv[i];
        if (opt.json)
            cJSON_AddItemToArray(results, as_json(what, &found, &one));
        else
            print_text(what, &found, argc == 1, &one);
        if (note(ctx->run, what, &found, one.class == ERR_NONE, err) < 0)
            rc = -1;
        integrity_release(&found);
        free(named);
        if (one.class == ERR_SIGNAL)
            break;
    }
    if (opt.json && print_json(results, err) < 0)
        rc = -1;
    cJSON_Delete(results);
    return rc;
}

APPLET(verify, .summary = "check that a backup is whole", .usage = usage, .examples = examples, .options = options,
       .exits = exits, .wants_settings = true, .watched = RUN_VERIFY, .links = links, .run = run);
