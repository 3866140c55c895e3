/* SPDX-License-Identifier: PostgreSQL */
/* status_gather_merge.c - what history, store and cache know of, as one list of backups; and where they disagree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/os.h"
#include "core/base/text.h"
#include "core/watch/status_gather_impl.h"

/* ---- one list --------------------------------------------------------------------------------------------------- */

/* Grows by one; the caller has made sure of the room. */
static int add(struct status_facts *f, const char *file, time_t started, uint64_t size, const char *format,
               struct status_backup **out, struct err *err)
{
    struct status_backup *b = &f->backups[f->n_backups];

    memset(b, 0, sizeof *b);
    b->started = started;
    b->size = size;
    b->file = strdup(file);
    b->format = format != NULL ? strdup(format) : NULL;
    f->n_backups++;
    *out = b;
    return b->file != NULL && (format == NULL || b->format != NULL) ? 0 : err_no_memory(err);
}

static int by_file(const void *a, const void *b)
{
    return strcmp(((const struct status_backup *)a)->file, ((const struct status_backup *)b)->file);
}

static int newest_first(const void *a, const void *b)
{
    const struct status_backup *x = a, *y = b;

    return x->started != y->started ? (x->started > y->started ? -1 : 1) : strcmp(x->file, y->file);
}

/* Of two that are one, the first stays and learns what the other knows. */
static void join(struct status_backup *to, struct status_backup *from)
{
    to->ran = to->ran || from->ran;
    to->stored = to->stored || from->stored;
    to->cached = to->cached || from->cached;
    if (to->size == 0)
        to->size = from->size;
    if (to->format == NULL) {
        to->format = from->format;
        from->format = NULL;
    }
    free(from->file);
    free(from->format);
}

static void join_same(struct status_facts *f)
{
    size_t kept = 0;

    if (f->n_backups == 0)
        return;
    qsort(f->backups, f->n_backups, sizeof *f->backups, by_file);
    for (size_t i = 1; i < f->n_backups; i++) {
        if (strcmp(f->backups[kept].file, f->backups[i].file) == 0)
            join(&f->backups[kept], &f->backups[i]);
        else
            f->backups[++kept] = f->backups[i];
    }
    f->n_backups = kept + 1;
    qsort(f->backups, f->n_backups, sizeof *f->backups, newest_first);
}

static int add_all(struct status_gathering *g, struct err *err)
{
    struct status_facts *f = g->facts;
    struct status_backup *b;

    for (size_t i = 0; i < f->history.n; i++) {
        const struct run *r = &f->history.runs[i];

        if (r->kind != RUN_BACKUP || r->exit_code != 0 || r->backup == NULL)
            continue;
        if (add(f, r->backup, r->started, r->size, r->format, &b, err) < 0)
            return -1;
        b->ran = true;
    }
    for (size_t i = 0; i < g->n_stored; i++) {
        const struct status_stored *e = &g->stored[i];

        if (e->file == NULL || !e->has_manifest || e->tier == TIER_MANUAL) /* whose manual ones are: nobody says */
            continue;
        if (add(f, e->file, e->started, e->size, NULL, &b, err) < 0)
            return -1;
        b->stored = true;
    }
    for (size_t i = 0; i < g->cache.n; i++) {
        const struct catalog_item *item = &g->cache.items[i];

        if (!catalog_is_complete(item))
            continue;
        if (add(f, os_basename(item->path), item->started, item->size, NULL, &b, err) < 0)
            return -1;
        b->cached = true;
    }
    return 0;
}

/* ---- what should be in the store --------------------------------------------------------------------------------- */

static const struct status_stored *find_stored(const struct status_gathering *g, const char *file, int tier)
{
    for (size_t i = 0; i < g->n_stored; i++) {
        const struct status_stored *e = &g->stored[i];

        if (e->file != NULL && e->has_manifest && (tier < 0 || e->tier == (enum tier)tier) &&
            strcmp(e->file, file) == 0)
            return e;
    }
    return NULL;
}

static const struct run *find_run(const struct status_gathering *g, const char *file)
{
    const struct history *h = &g->facts->history;

    for (size_t i = h->n; i > 0; i--)
        if (h->runs[i - 1].kind == RUN_BACKUP && h->runs[i - 1].exit_code == 0 && h->runs[i - 1].backup != NULL &&
            strcmp(h->runs[i - 1].backup, file) == 0)
            return &h->runs[i - 1];
    return NULL;
}

/* Was it put into this very store, and not into the one that was set before? */
static bool is_here(const struct run *r, const char *store_url)
{
    size_t n = strlen(store_url);

    return r->stored && r->location != NULL && strncmp(r->location, store_url, n) == 0 && r->location[n] == '/';
}

static int disagree(struct status_facts *f, const char *file, const char *how, struct err *err)
{
    if (f->disagreements++ > 0) /* the newest is told */
        return 0;
    return asprintf(&f->disagreement, "%s %s", file, how) < 0 ? (f->disagreement = NULL, err_no_memory(err)) : 0;
}

/* The cached copy of a backup that is kept still, beside what the store lists. */
static int compare_cached(struct status_gathering *g, const struct catalog_item *item, const char *store_url,
                          struct err *err)
{
    const struct manifest *m = &item->manifest;
    const char *file = os_basename(item->path);
    const struct run *r = find_run(g, file);
    const struct status_stored *e = find_stored(g, file, (int)m->tier);
    bool expired = m->expires != 0 && m->expires <= g->p->now;

    if (expired || m->etag[0] == '\0' || (r != NULL && !is_here(r, store_url)))
        return 0;
    if (e == NULL)
        return disagree(g->facts, file, "is gone", err);
    if (e->size != m->size)
        return disagree(g->facts, file, "has another size", err);
    if (text_starts(store_url, "s3://") && e->etag[0] != '\0' && strcmp(e->etag, m->etag) != 0)
        return disagree(g->facts, file, "has another content", err);
    return 0;
}

/* The newest that was stored here is beyond every retention rule. */
static int compare_newest(struct status_gathering *g, const char *store_url, struct err *err)
{
    const struct history *h = &g->facts->history;

    for (size_t i = h->n; i > 0; i--) {
        const struct run *r = &h->runs[i - 1];

        if (r->kind != RUN_BACKUP || r->exit_code != 0 || r->backup == NULL || !is_here(r, store_url))
            continue;
        for (size_t j = 0; j < g->cache.n; j++)
            if (strcmp(os_basename(g->cache.items[j].path), r->backup) == 0)
                return 0; /* compared already */
        return find_stored(g, r->backup, -1) == NULL ? disagree(g->facts, r->backup, "is gone", err) : 0;
    }
    return 0;
}

static int compare(struct status_gathering *g, const char *store_url, struct err *err)
{
    for (size_t i = 0; i < g->cache.n; i++)
        if (catalog_is_complete(&g->cache.items[i]) && compare_cached(g, &g->cache.items[i], store_url, err) < 0)
            return -1;
    return compare_newest(g, store_url, err);
}

int status_gather_merge(struct status_gathering *g, const char *store_url, struct err *err)
{
    struct status_facts *f = g->facts;

    f->backups = calloc(f->history.n + g->n_stored + g->cache.n + 1, sizeof *f->backups);
    if (f->backups == NULL)
        return err_no_memory(err);
    if (add_all(g, err) < 0)
        return -1;
    join_same(f);
    return f->store_listed ? compare(g, store_url, err) : 0;
}
