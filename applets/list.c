/* SPDX-License-Identifier: PostgreSQL */
/* list.c - which backups there are, and what is in one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "applets/applet.h"
#include "core/backup/fetch.h"
#include "core/backup/inventory.h"
#include "core/backup/listing.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"

static const char usage[] = "list [OPTIONS] [DIR | STORE]\n"
                            "list [--json | --toc] BACKUP\n"
                            "\n"
                            "Without an operand, list this host's backups (cache and work directory), the\n"
                            "newest first, and those of the store, when SFB_BUCKET names one; with a\n"
                            "directory or a store (s3://bucket, s3://bucket/prefix, file:///dir), those in\n"
                            "it. Of a backup (a file, s3://bucket/.../backup.dump, latest, latest@weekly),\n"
                            "list the tables with rows and sizes, the largest first: as the manifest beside\n"
                            "it says, or, without one, by reading all of it.\n"
                            "GOOD: every byte was verified when it was made, and it has its size still.\n"
                            "Beside a backup stands how its newest drill ended, and when.\n";

static const char examples[] = "# Which backups there are\n"
                               "sfb list\n"
                               "# What is in one\n"
                               "sfb list /var/backups/signupflow/backup-20251023-143215.dump\n"
                               "# The bucket, and the newest backup in it\n"
                               "sfb list s3://signupflow-backups\n"
                               "sfb list latest\n"
                               "# Choose what pg_restore restores: delete lines from the list\n"
                               "sfb list --toc backup.dump >toc\n"
                               "# ... and restore what is left in it\n"
                               "sfb pg_restore -L toc -d postgresql:///copy backup.dump\n";

static struct {
    const char *environment;
    bool json, toc;
} opt;

static const struct opt options[] = {
    OPT_TEXT('e', "environment", "ENV", &opt.environment, "only backups of staging or production"),
    OPT_FLAG(0, "json", &opt.json, "print the list as JSON"),
    OPT_FLAG(0, "toc", &opt.toc, "the table of contents of a backup as pg_restore --list prints it"),
    OPT_END,
};

static const struct exit_map exits[] = {
    { ERR_NOT_FOUND, 1, "there is no such file, directory or object" },
    { ERR_DAMAGED, 2, "the file is no backup, or is damaged" },
    { ERR_NONE, 3, "the store can't be read, or anything else" },
    { ERR_CONFIG, 7, "usage or configuration" },
    { ERR_USAGE, 7, NULL },
    EXITS_END,
};

#define OUTPUT_MAX ((size_t)1024 * 1024 * 1024)
#define PATIENCE 5 /* seconds for a store nobody asked for by name: the backups at hand must not wait for it */

/* ---- which backups there are --------------------------------------------------------------------------------- */

/* The local ones are what somebody needs whose store is away. */
static int add_settings_store(struct catalog *all, struct proofs *proofs, const struct settings *s, bool *listed,
                              struct err *err)
{
    struct err trouble = { 0 };

    *listed = inventory_store(all, proofs, s, NULL, opt.environment, PATIENCE, &trouble) == 0;
    if (*listed)
        return 0;
    if (trouble.class == ERR_SIGNAL || trouble.class == ERR_INTERNAL) {
        *err = trouble;
        return -1;
    }
    log_warn("the store's backups are not listed: %s", trouble.message);
    if (trouble.hint[0])
        log_warn("%s", trouble.hint);
    return 0;
}

/* A store that was named may be another application's: of its drills it alone can tell. *listed: the settings' store was. */
static int collect(struct catalog *all, struct proofs *proofs, const struct settings *s, const char *where,
                   bool *listed, struct err *err)
{
    struct err ignored = { 0 };

    if (where && store_is_url(where))
        return inventory_store(all, proofs, s, where, opt.environment, -1, err);
    if (proofs_read_host(proofs, settings_get(s, SETTING_STATE_DIR), opt.environment, &ignored) < 0)
        log_debug("the reports of drills: %s", ignored.message);
    if (where)
        return inventory_directory(all, where, opt.environment, err);
    if (inventory_host(all, s, opt.environment, err) < 0)
        return -1;
    return settings_given(s, SETTING_BUCKET) ? add_settings_store(all, proofs, s, listed, err) : 0;
}

static void say_none(const struct settings *s, const char *where, bool listed)
{
    const char *of = opt.environment ? " of " : "", *whose = opt.environment ? opt.environment : "";

    if (where)
        log_warn("there is no backup%s%s in %s", of, whose, where);
    else
        log_warn("there is no backup%s%s in %s and %s%s%s", of, whose, settings_get(s, SETTING_CACHE_DIR),
                 settings_get(s, SETTING_WORK_DIR), listed ? ", and none in the store " : "",
                 listed ? settings_get(s, SETTING_BUCKET) : "");
    if (!where && !settings_given(s, SETTING_BUCKET))
        log_warn("no store was asked: SFB_BUCKET names none; `sfb list s3://%s` looks into that",
                 settings_get(s, SETTING_BUCKET));
}

/* where NULL: everywhere */
static int list_catalog(const struct settings *s, const char *where, struct err *err)
{
    struct catalog all = { NULL, 0 };
    struct proofs proofs = { 0 };
    bool listed = false;
    struct buf out;
    int rc = -1;

    buf_init(&out, OUTPUT_MAX);
    if (opt.toc) {
        err_set(err, ERR_USAGE, "--toc needs a backup file");
        goto out;
    }
    if (opt.environment && places_check_environment(opt.environment, err) < 0)
        goto out;
    if (collect(&all, &proofs, s, where, &listed, err) < 0)
        goto out;
    inventory_sort(&all);
    if (opt.json) {
        rc = listing_catalog_json(&out, &all, &proofs, err);
    } else {
        if (all.n > 0)
            listing_catalog(&out, &all, &proofs, clock_now());
        else
            say_none(s, where, listed);
        rc = buf_check(&out, err);
    }
    if (rc == 0)
        fwrite(out.data, 1, out.size, stdout);
out:
    buf_release(&out);
    proofs_release(&proofs);
    catalog_release(&all);
    return rc;
}

/* ---- one backup ---------------------------------------------------------------------------------------------- */

static int print_contents(struct contents *c, struct err *err)
{
    struct buf out;
    int rc = 0;

    buf_init(&out, OUTPUT_MAX);
    if (opt.json)
        rc = listing_contents_json(&out, c, err);
    else
        listing_contents(&out, c, clock_now());
    if (rc == 0)
        rc = buf_check(&out, err);
    if (rc == 0)
        fwrite(out.data, 1, out.size, stdout);
    buf_release(&out);
    contents_release(c);
    return rc;
}

static int list_file(const char *path, struct err *err)
{
    struct contents c;
    struct buf out;
    int rc;

    if (!opt.toc)
        return contents_read(path, os_cpus(), &c, err) < 0 ? -1 : print_contents(&c, err);
    buf_init(&out, OUTPUT_MAX);
    rc = contents_toc(path, &out, err);
    if (rc == 0)
        fwrite(out.data, 1, out.size, stdout);
    buf_release(&out);
    return rc;
}

static int list_fetched(struct fetched *f, struct err *err)
{
    struct contents c;
    struct buf out;
    int rc;

    if (!opt.toc)
        return contents_read_stored(f->store, f->key, os_cpus(), &c, err) < 0 ? -1 : print_contents(&c, err);
    buf_init(&out, OUTPUT_MAX);
    rc = contents_toc_stored(f->store, f->key, &out, err);
    if (rc == 0)
        fwrite(out.data, 1, out.size, stdout);
    buf_release(&out);
    return rc;
}

static int list_stored(const struct settings *s, const char *what, struct err *err)
{
    struct fetch_params p = { .settings = s,
                              .what = what,
                              .environment = opt.environment ? opt.environment : "production" };
    struct fetched f;
    int rc = -1;

    if (places_check_environment(p.environment, err) < 0)
        return -1;
    if (fetch_find(&p, &f, err) == 0)
        rc = list_fetched(&f, err);
    fetched_release(&f);
    return rc;
}

/* ---- which of them is meant ---------------------------------------------------------------------------------- */

static bool is_backup_name(const char *url)
{
    return text_ends(url, ".dump") || text_ends(url, ".sql") || text_ends(url, ".sql.gz");
}

static int list_path(const struct settings *s, const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return err_set(err, ERR_NOT_FOUND, "can't find %s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return list_catalog(s, path, err);
    if (opt.environment)
        return err_set(err, ERR_USAGE, "--environment chooses among backups, but %s is one", path);
    return list_file(path, err);
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    const char *what = argc > 0 ? argv[0] : NULL;

    if (argc > 1)
        return err_set(err, ERR_USAGE, "list takes one backup or place, but \"%s\" was given too", argv[1]);
    if (opt.json && opt.toc)
        return err_set(err, ERR_USAGE, "--toc has a format of its own and no JSON");
    if (!what || (store_is_url(what) && !is_backup_name(what)))
        return list_catalog(ctx->settings, what, err);
    if (store_is_url(what) && opt.environment)
        return err_set(err, ERR_USAGE, "--environment chooses among backups, but %s is one", what);
    return fetch_is_meant(what) ? list_stored(ctx->settings, what, err) : list_path(ctx->settings, what, err);
}

APPLET(list, .summary = "list backups, or what is in one", .usage = usage, .examples = examples, .options = options,
       .exits = exits, .wants_settings = true, .run = run);
