/* SPDX-License-Identifier: PostgreSQL */
/* report_keep.c - where a drill's report has the past from, and where it is kept: the state directory, and the store. */
#include "core/watch/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/repository.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/watch/outbox.h"

#define PATIENCE 5 /* seconds for a store that is only asked about the past */
#define PAST 200   /* runs that the store is asked for */

enum { PAGE, JSON, TEXT, FILES };

static const char *const endings[FILES] = { ".html", ".json", ".txt" };

int report_write(struct buf *out, const struct report *r, const char *ending, struct err *err)
{
    if (strcmp(ending, endings[JSON]) == 0)
        return report_json(out, r, err);
    if (strcmp(ending, endings[TEXT]) == 0)
        report_text(out, r);
    else
        report_html(out, r);
    return buf_check(out, err);
}

int report_write_file(const struct report *r, const char *path, struct err *err)
{
    const char *ending = strrchr(os_basename(path), '.');
    struct buf out;
    int rc;

    buf_init(&out, REPORT_MAX);
    rc = report_write(&out, r, ending != NULL ? ending : "", err);
    if (rc == 0)
        rc = os_publish_file(path, out.data, out.size, 0644, err);
    buf_release(&out);
    return rc;
}

static void warn(const char *what, const struct err *err)
{
    log_warn("%s: %s", what, err->message);
    if (err->hint[0] != '\0')
        log_warn("%s", err->hint);
}

static bool has_store(const struct settings *s, const struct drill_result *drill)
{
    return settings_given(s, SETTING_BUCKET) || drill->stored;
}

/* ---- the past --------------------------------------------------------------------------------------------------- */

/* A store that can't be listed makes the past shorter, and that is all. */
static void ask_store(const struct settings *s, const struct places *p, const char *environment, time_t now,
                      struct history *history, struct proofs *proofs)
{
    struct err ignored = { 0 };
    struct store *store = repository_open_briefly(s, NULL, STORE_READ, PATIENCE, &ignored);

    if (store == NULL || proofs_read_store(proofs, store, environment, &ignored) < 0 ||
        history_read_store(store, p, environment, now, PAST, history, &ignored) < 0)
        log_debug("the store does not tell of the past: %s", ignored.message);
    store_close(store);
}

int report_gather(struct report *r, const struct settings *s, const struct places *p, const struct drill_result *drill,
                  const struct err *why, time_t now, struct err *err)
{
    const char *environment = report_environment(drill);
    struct history history = { 0 };
    struct proofs proofs = { 0 };
    struct err trouble = { 0 };
    int rc;

    if (history_read(p, environment, &history, &trouble) < 0 ||
        proofs_read_host(&proofs, p->state, environment, &trouble) < 0)
        warn("the drills of the past are not all known", &trouble);
    if (has_store(s, drill))
        ask_store(s, p, environment, now, &history, &proofs);
    rc = report_init(r, drill, why, &history, &proofs, now, err);
    history_release(&history);
    proofs_release(&proofs);
    return rc;
}

/* ---- this host -------------------------------------------------------------------------------------------------- */

static void trim(const char *state, const char *environment)
{
    struct proofs proofs = { 0 };
    struct err err = { 0 };

    if (proofs_read_host(&proofs, state, environment, &err) < 0 ||
        (proofs_plan(&proofs, NULL, PROOFS_KEEP) > 0 && proofs_remove_host(&proofs, state, &err) < 0))
        warn("old reports stay", &err);
    proofs_release(&proofs);
}

/* The page last: it is what is looked for. */
static int write_files(const char *directory, const struct buf files[FILES], const struct report *r, char **page,
                       struct err *err)
{
    int rc = 0;

    for (int i = FILES - 1; i >= 0 && rc == 0; i--) {
        char *path = NULL;

        if (asprintf(&path, "%s/%s%s", directory, r->name, endings[i]) < 0)
            return err_no_memory(err);
        rc = os_write_file(path, files[i].data, files[i].size, err);
        if (rc == 0 && i == PAGE)
            *page = path;
        else
            free(path);
    }
    return rc;
}

static void keep_here(const struct places *p, const struct buf files[FILES], const struct report *r,
                      struct report_kept *kept)
{
    struct err err = { 0 };
    char *directory = NULL;

    if (p->state == NULL)
        return;
    if (asprintf(&directory, "%s/reports/%s", p->state, r->environment) < 0) {
        directory = NULL;
        err_no_memory(&err);
    }
    if (directory == NULL || os_make_dirs(directory, 0700, &err) < 0 ||
        write_files(directory, files, r, &kept->path, &err) < 0)
        warn("the report is not kept on this host", &err);
    else
        trim(p->state, r->environment);
    free(directory);
}

/* ---- the store -------------------------------------------------------------------------------------------------- */

/* store NULL: they are only kept, until a store takes them. The page is the last one. */
static int put_files(struct store *store, const struct places *p, const struct buf files[FILES], const struct report *r,
                     struct err *err)
{
    int rc = 0;

    for (int i = FILES - 1; i >= 0 && rc == 0; i--) {
        char *key = proofs_key(r->environment, r->name, endings[i]);

        if (key == NULL)
            return err_no_memory(err);
        rc = store != NULL ? outbox_put(store, p, key, files[i].data, files[i].size, err)
                           : outbox_keep(p, key, files[i].data, files[i].size, err);
        free(key);
    }
    return rc;
}

static int name_url(struct store *store, const struct report *r, char **url, struct err *err)
{
    char *key = proofs_key(r->environment, r->name, endings[PAGE]);
    struct buf text;
    int rc = -1;

    buf_init(&text, 8192);
    if (key == NULL) {
        err_no_memory(err);
    } else if (store_key_url(store, key, &text, err) == 0) {
        *url = buf_take(&text, err);
        rc = *url != NULL ? 0 : -1;
    }
    buf_release(&text);
    free(key);
    return rc;
}

static void tell_trouble(const struct report *r, const struct err *err, bool waits)
{
    warn(waits ? "the report is not in the store yet, the next run sends it" : "the report is not in the store", err);
    if (!waits)
        log_warn("other hosts can't see it; to allow that, s3:PutObject is needed on %s/reports/", r->environment);
}

static void keep_stored(const struct settings *s, const struct places *p, const struct buf files[FILES],
                        const struct report *r, struct report_kept *kept)
{
    struct err err = { 0 }, ignored = { 0 };
    struct store *store;
    bool waits;

    if (!has_store(s, r->drill))
        return;
    waits = put_files(NULL, p, files, r, &ignored) == 0 && p->state != NULL;
    store = repository_open(s, NULL, STORE_WRITE, &err);
    if (store == NULL || put_files(store, p, files, r, &err) < 0 || name_url(store, r, &kept->url, &err) < 0)
        tell_trouble(r, &err, waits && !store_was_denied(&err));
    store_close(store);
}

int report_keep(const struct settings *s, const struct places *p, const struct report *r, struct report_kept *kept,
                struct err *err)
{
    struct buf files[FILES];
    int rc = 0;

    memset(kept, 0, sizeof *kept);
    for (int i = 0; i < FILES; i++) {
        buf_init(&files[i], REPORT_MAX);
        if (rc == 0)
            rc = report_write(&files[i], r, endings[i], err);
    }
    if (rc == 0) {
        keep_here(p, files, r, kept);
        keep_stored(s, p, files, r, kept);
    }
    for (int i = 0; i < FILES; i++)
        buf_release(&files[i]);
    return rc;
}

void report_kept_release(struct report_kept *kept)
{
    free(kept->path);
    free(kept->url);
    memset(kept, 0, sizeof *kept);
}
