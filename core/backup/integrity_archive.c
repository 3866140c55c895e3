/* SPDX-License-Identifier: PostgreSQL */
/* integrity_archive.c - is a custom archive whole, and is it what its manifest says? */
#include "core/backup/integrity_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/backup/snapshot.h"
#include "core/base/os.h"
#include "core/base/progress.h"
#include "core/base/text.h"
#include "core/pg/tool.h"

#define CLOCK_SLACK 3600 /* seconds that the archive's time may be outside of the run that the manifest tells of */

int integrity_major_of(const char *version)
{
    return version != NULL ? (int)strtol(version, NULL, 10) : 0;
}

static time_t archive_time(const struct archive *a)
{
    struct tm tm = { .tm_sec = a->second,
                     .tm_min = a->minute,
                     .tm_hour = a->hour,
                     .tm_mday = a->day,
                     .tm_mon = a->month,
                     .tm_year = a->year };

    return timegm(&tm); /* ours are UTC, as everything is; others are some local time */
}

static int check_list(struct check *c, const struct archive *toc)
{
    struct integrity_list *list = c->p->list, *own = NULL;
    struct err ignored = { 0 };
    struct tool tool;
    int rc;

    if (list == NULL) {
        if (tool_for_archive(c->found->archive_minor, c->found->dump_major, c->p->bindir, &tool, &ignored) < 0) {
            integrity_passed(c, "pg_restore --list", "skipped: %s", ignored.message);
            return 0;
        }
        list = own = integrity_list_start(&tool, c->err);
        if (own == NULL)
            return -1;
    }
    rc = integrity_list_read(list, &c->file, toc->data_at, c->err);
    if (rc < 0)
        integrity_failed_with(c, "pg_restore --list");
    else
        integrity_passed(c, "pg_restore --list", "pg_restore %s reads it", integrity_list_version(list));
    integrity_list_free(own);
    return rc;
}

static int check_archive_metadata(struct check *c, const struct archive *toc)
{
    const struct manifest *m = &c->found->manifest;
    const char *database = toc->database != NULL ? toc->database : "";
    const char *version = toc->server_version != NULL ? toc->server_version : "";
    time_t when = archive_time(toc);

    if (strcmp(database, m->database.name) != 0)
        return integrity_failed(c, "metadata", "it holds database %s, its manifest says %s", database,
                                m->database.name);
    if (strcmp(version, m->database.server_version) != 0)
        return integrity_failed(c, "metadata", "it is of a server %s, its manifest says %s", version,
                                m->database.server_version);
    if (when < m->started - CLOCK_SLACK || when > m->finished + CLOCK_SLACK)
        return integrity_failed(c, "metadata", "it was dumped at another time than its manifest says");
    integrity_passed(c, "metadata", "database %s, server %s", database, version);
    return 0;
}

/* Without a manifest the archive speaks for itself. */
static int learn_from_archive(struct check *c, const struct archive *toc)
{
    struct manifest *m = &c->found->manifest;

    m->format = FORMAT_CUSTOM;
    m->started = m->snapshot_at = m->finished = archive_time(toc);
    m->size = c->found->size;
    if (manifest_set(&m->database.name, toc->database != NULL ? toc->database : "", c->err) < 0 ||
        manifest_set(&m->database.server_version, toc->server_version != NULL ? toc->server_version : "", c->err) < 0 ||
        manifest_set(&m->file, os_basename(c->path), c->err) < 0)
        return -1;
    m->database.server_version_num = integrity_major_of(toc->server_version) * 10000;
    integrity_passed(c, "metadata", "database %s, server %s; there is no manifest to compare with", m->database.name,
                     m->database.server_version);
    return 0;
}

static bool same_tables(const struct manifest *expected, const struct manifest *counted, char *why, size_t n)
{
    for (size_t i = 0; i < expected->n_tables; i++) {
        const struct manifest_table *e = &expected->tables[i];
        const struct manifest_table *f = i < counted->n_tables ? &counted->tables[i] : NULL;

        if (f == NULL || strcmp(e->schema, f->schema) != 0 || strcmp(e->name, f->name) != 0)
            f = manifest_find_table(counted, e->schema, e->name);
        if (f == NULL) {
            snprintf(why, n, "table %s.%s is not in it", e->schema, e->name);
            return false;
        }
        if (e->tally.rows != f->tally.rows) {
            snprintf(why, n, "table %s.%s has %llu rows, its manifest says %llu", e->schema, e->name,
                     (unsigned long long)f->tally.rows, (unsigned long long)e->tally.rows);
            return false;
        }
        if (!tally_same(&e->tally, &f->tally)) {
            snprintf(why, n, "the rows of table %s.%s are not those of its manifest", e->schema, e->name);
            return false;
        }
    }
    if (counted->n_tables != expected->n_tables) {
        snprintf(why, n, "it has %zu tables, its manifest says %zu", counted->n_tables, expected->n_tables);
        return false;
    }
    if (!tally_same(&expected->large_objects, &counted->large_objects)) {
        snprintf(why, n, "its large objects are not those of its manifest");
        return false;
    }
    return true;
}

static int check_rows(struct check *c, const struct walk_result *walked)
{
    struct manifest counted;
    char rows[TEXT_SHORT], why[300] = "";
    int rc = -1;

    manifest_init(&counted);
    if (snapshot_describe_contents(&walked->blocks, &walked->objects, &counted, c->err) < 0) {
        integrity_failed_with(c, "rows");
        goto out;
    }
    text_count(rows, manifest_rows(&counted));
    if (!c->found->has_manifest) {
        struct manifest *m = &c->found->manifest;

        integrity_passed(c, "rows", "%zu table%s, %s rows", counted.n_tables, counted.n_tables == 1 ? "" : "s", rows);
        m->tables = counted.tables;
        m->n_tables = counted.n_tables;
        m->large_objects = counted.large_objects;
        counted.tables = NULL;
        counted.n_tables = 0;
        c->found->counted = true;
    } else if (!same_tables(&c->found->manifest, &counted, why, sizeof why)) {
        integrity_failed(c, "rows", "%s", why);
        goto out;
    } else {
        integrity_passed(c, "rows", "%zu table%s, %s rows, every fingerprint as in the manifest", counted.n_tables,
                         counted.n_tables == 1 ? "" : "s", rows);
    }
    rc = 0;
out:
    manifest_release(&counted);
    return rc;
}

static void walk_progress(void *cookie, uint64_t bytes)
{
    (void)cookie;
    progress_add(bytes);
}

static int check_blocks(struct check *c)
{
    struct walk_params p = { .file = c->file, .jobs = c->p->jobs, .progress = walk_progress };
    struct walk_result walked;
    int rc;

    if (c->sums != NULL) {
        p.seen = integrity_sum_up;
        p.seen_cookie = c->sums;
    }
    if (c->stored != NULL && stored_expect(c->stored, 0, c->found->size, c->err) < 0)
        return -1;
    progress_start("verifying", c->found->size);
    rc = walk(&p, &walked, c->err);
    progress_end();
    if (rc < 0)
        return integrity_failed_with(c, "data");
    integrity_passed(c, "data", "every block is whole");
    rc = check_rows(c, &walked);
    if (rc == 0 && c->sums != NULL)
        rc = integrity_compare_sums(c);
    walk_result_release(&walked);
    return rc;
}

/* The contents are newer than what was walked: only they know where the blocks are. */
static int check_walked(struct check *c, const struct archive *toc)
{
    const struct walk_result *walked = c->p->walked;
    char name[160];

    for (size_t i = 0; i < walked->blocks.n; i++) {
        const struct archive_block *b = &walked->blocks.items[i];
        const struct archive_entry *e = archive_find(toc, b->entry->id);

        if (e == NULL || e->state != OFFSET_KNOWN || e->offset != b->offset)
            return integrity_failed(c, "data", "its table of contents does not say that %s is at offset %llu",
                                    archive_entry_name(b->entry, name, sizeof name), (unsigned long long)b->offset);
    }
    integrity_passed(c, "data", "every block is whole");
    return check_rows(c, walked);
}

int integrity_archive(struct check *c)
{
    struct archive toc;
    int rc = -1;

    if (c->found->has_manifest)
        c->file.contents = c->found->manifest.contents_size;
    if (walk_contents(&c->file, &toc, c->err) < 0)
        return integrity_failed_with(c, "table of contents");
    integrity_passed(c, "table of contents", "%zu entries", toc.n);
    c->found->archive_minor = toc.version % 256;
    c->found->dump_major = integrity_major_of(toc.dump_version);
    if (check_list(c, &toc) < 0)
        goto out;
    if ((c->found->has_manifest ? check_archive_metadata(c, &toc) : learn_from_archive(c, &toc)) < 0)
        goto out;
    rc = c->p->depth == CHECK_QUICK ? 0 : c->p->walked == NULL ? check_blocks(c) : check_walked(c, &toc);
out:
    archive_release(&toc);
    return rc;
}
