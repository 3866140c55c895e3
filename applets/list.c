/* SPDX-License-Identifier: PostgreSQL */
/* list.c - which backups there are, and what is in one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "applets/applet.h"
#include "core/backup/listing.h"
#include "core/backup/places.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/pg/walk.h"

static const char usage[] = "list [OPTIONS] [DIR]\n"
                            "list [--json | --toc] BACKUP\n"
                            "\n"
                            "Without an operand, list this host's backups (cache and work directory), the\n"
                            "newest first; with a directory, those in it. Of a backup file, list the tables\n"
                            "with rows and sizes, the largest first: as the manifest beside it says, or,\n"
                            "without one, by reading all of it.\n";

static const char examples[] = "# Which backups there are\n"
                               "sfb list\n"
                               "# What is in one\n"
                               "sfb list /var/backups/signupflow/backup-20251023-143215.dump\n"
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
    { ERR_NOT_FOUND, 1, "there is no such file or directory" },
    { ERR_DAMAGED, 2, "the file is no backup, or is damaged" },
    { ERR_NONE, 3, "anything else" },
    { ERR_CONFIG, 7, "usage or configuration" },
    { ERR_USAGE, 7, NULL },
    EXITS_END,
};

#define OUTPUT_MAX ((size_t)1024 * 1024 * 1024)

/* ---- the backups of this host -------------------------------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool is_listed(const struct catalog *c, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (same_file(c->items[i].path, path))
            return true;
    return false;
}

static int newest_first(const void *a, const void *b)
{
    const struct catalog_item *x = a, *y = b;

    return x->started == y->started ? strcmp(x->path, y->path) : x->started > y->started ? -1 : 1;
}

/* Adds the backups of a directory that may be missing. In the work directory, where others keep files too, only those
 * that sfb made for this application, and not those that the cache holds as well. */
static int add_directory(struct catalog *all, const char *directory, const char *app, struct err *err)
{
    struct catalog found;
    size_t before = all->n;
    struct catalog_item *items;
    int rc = -1;

    if (!*directory || access(directory, F_OK) < 0)
        return 0;
    if (catalog_read(directory, opt.environment, &found, err) < 0)
        return -1;
    items = reallocarray(all->items, before + found.n + 1, sizeof *items);
    if (!items) {
        err_no_memory(err);
        goto out;
    }
    all->items = items;
    for (size_t i = 0; i < found.n; i++) {
        const struct catalog_item *item = &found.items[i];
        if (app &&
            ((item->has_manifest ? strcmp(item->manifest.app, app) != 0 : !text_starts(os_basename(item->path), app)) ||
             is_listed(all, before, item->path)))
            continue;
        items[all->n++] = *item;
        memset(&found.items[i], 0, sizeof found.items[i]); /* it has moved */
    }
    rc = 0;
out:
    catalog_release(&found);
    return rc;
}

static int list_catalog(const struct settings *s, const char *directory, struct err *err)
{
    struct catalog all = { NULL, 0 };
    struct buf out;
    int rc = -1;

    buf_init(&out, OUTPUT_MAX);
    if (opt.toc) {
        err_set(err, ERR_USAGE, "--toc needs a backup file");
        goto out;
    }
    if (opt.environment && places_check_environment(opt.environment, err) < 0)
        goto out;
    if (directory ? add_directory(&all, directory, NULL, err) < 0
                  : add_directory(&all, settings_get(s, SETTING_CACHE_DIR), NULL, err) < 0 ||
                        add_directory(&all, settings_get(s, SETTING_WORK_DIR), settings_get(s, SETTING_APP), err) < 0)
        goto out;
    if (all.n > 0)
        qsort(all.items, all.n, sizeof *all.items, newest_first);
    if (opt.json) {
        rc = listing_catalog_json(&out, &all, err);
    } else {
        if (all.n > 0)
            listing_catalog(&out, &all, clock_now());
        else if (directory)
            log_warn("there is no backup in %s", directory);
        else
            log_warn("there is no backup in %s and %s", settings_get(s, SETTING_CACHE_DIR),
                     settings_get(s, SETTING_WORK_DIR));
        rc = buf_check(&out, err);
    }
    if (rc == 0)
        fwrite(out.data, 1, out.size, stdout);
out:
    buf_release(&out);
    catalog_release(&all);
    return rc;
}

/* ---- one backup ---------------------------------------------------------------------------------------------- */

static int list_toc(const char *path, struct err *err)
{
    struct walk_file file;
    struct archive toc;
    struct buf out;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), rc = -1;

    buf_init(&out, OUTPUT_MAX);
    if (fd < 0) {
        err_set(err, ERR_NOT_FOUND, "can't open the backup %s: %s", path, strerror(errno));
        goto out;
    }
    if (walk_file_fd(&file, &fd, err) < 0 || walk_contents(&file, &toc, err) < 0) {
        err_context(err, "%s", path);
        goto out;
    }
    rc = archive_list(&toc, &out, err);
    if (rc == 0)
        rc = buf_check(&out, err);
    archive_release(&toc);
    if (rc == 0)
        fwrite(out.data, 1, out.size, stdout);
out:
    if (fd >= 0)
        close(fd);
    buf_release(&out);
    return rc;
}

static int list_contents(const char *path, struct err *err)
{
    struct contents c;
    struct buf out;
    int rc = -1;

    if (contents_read(path, os_cpus(), &c, err) < 0)
        return -1;
    buf_init(&out, OUTPUT_MAX);
    if (opt.json) {
        rc = listing_contents_json(&out, &c, err);
    } else {
        listing_contents(&out, &c, clock_now());
        rc = buf_check(&out, err);
    }
    if (rc == 0)
        fwrite(out.data, 1, out.size, stdout);
    buf_release(&out);
    contents_release(&c);
    return rc;
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    struct stat st;

    if (argc > 1)
        return err_set(err, ERR_USAGE, "list takes one file or directory, but \"%s\" was given too", argv[1]);
    if (opt.json && opt.toc)
        return err_set(err, ERR_USAGE, "--toc has a format of its own and no JSON");
    if (argc == 0)
        return list_catalog(ctx->settings, NULL, err);
    if (stat(argv[0], &st) < 0)
        return err_set(err, ERR_NOT_FOUND, "can't find %s: %s", argv[0], strerror(errno));
    if (S_ISDIR(st.st_mode))
        return list_catalog(ctx->settings, argv[0], err);
    if (opt.environment)
        return err_set(err, ERR_USAGE, "--environment chooses among backups, but %s is one", argv[0]);
    return opt.toc ? list_toc(argv[0], err) : list_contents(argv[0], err);
}

APPLET(list, .summary = "list backups, or what is in one", .usage = usage, .examples = examples, .options = options,
       .exits = exits, .wants_settings = true, .run = run);
