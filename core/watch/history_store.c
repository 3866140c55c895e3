/* SPDX-License-Identifier: PostgreSQL */
/* history_store.c - the runs as objects in the store, so that a fresh host knows the past. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/names.h"
#include "core/base/text.h"
#include "core/io/pool.h"
#include "core/watch/history_impl.h"

#define FETCHERS 12 /* requests at once: they are small, and each waits for an answer */
#define HOST_MAX 64 /* letters of a host's name in a key */

/* ---- keys ------------------------------------------------------------------------------------------------------ */

/* "production/history/20251023-020000-backup-db1-4711.json" */
static void put_key(struct buf *out, const struct run *r)
{
    const char *subject = run_subject(r), *host = r->host != NULL ? r->host : "unknown";
    char stamp[CLOCK_TEXT];

    buf_printf(out, "%s%shistory/%s-%s-", subject != NULL ? subject : "", subject != NULL ? "/" : "",
               clock_stamp(stamp, r->started), run_kind_name(r->kind));
    for (size_t i = 0; i < HOST_MAX && host[i] != '\0'; i++)
        buf_putc(out, isalnum((unsigned char)host[i]) || host[i] == '.' ? host[i] : '-');
    buf_printf(out, "-%d.json", r->pid);
}

int history_object(const struct run *r, struct buf *key, struct buf *text, struct err *err)
{
    put_key(key, r);
    if (run_write(r, text, err) < 0)
        return -1;
    buf_putc(text, '\n');
    return buf_check(key, err) < 0 ? -1 : buf_check(text, err);
}

/* ---- which there are ------------------------------------------------------------------------------------------- */

/* A key by its time: what stands behind the last slash begins with it. */
struct listed {
    char *key;
    const char *stamp;
};

struct listing {
    struct listed *items;
    size_t n, room;
};

static int list_one(void *cookie, const struct store_item *item, struct err *err)
{
    struct listing *l = cookie;
    time_t started;

    if (!clock_parse_stamp(os_basename(item->key), &started) || !text_ends(item->key, ".json") ||
        item->size > RUN_LINE_MAX)
        return 0;
    if (l->n == l->room) {
        size_t room = l->room > 0 ? l->room * 2 : 256;
        struct listed *items = reallocarray(l->items, room, sizeof *items);

        if (items == NULL)
            return err_no_memory(err);
        l->items = items;
        l->room = room;
    }
    l->items[l->n].key = strdup(item->key);
    if (l->items[l->n].key == NULL)
        return err_no_memory(err);
    l->items[l->n].stamp = os_basename(l->items[l->n].key);
    l->n++;
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    return strcmp(((const struct listed *)b)->stamp, ((const struct listed *)a)->stamp);
}

/* By year, so that a bucket of many years is not listed whole. */
static int list_years(struct store *store, const char *directory, time_t now, struct listing *l, struct err *err)
{
    char date[CLOCK_TEXT], prefix[128];
    int year;

    clock_date(date, now);
    date[strcspn(date, "-")] = '\0';
    if (!text_parse_int(date, 1970, 9999, &year))
        return err_set(err, ERR_INTERNAL, "this is no year: %s", date);
    for (int back = 0; back < 2; back++) {
        snprintf(prefix, sizeof prefix, "%shistory/%d", directory, year - back);
        if (store_list(store, prefix, list_one, l, err) < 0)
            return -1;
    }
    return 0;
}

static int list_all(struct store *store, const char *environment, time_t now, struct listing *l, struct err *err)
{
    static const char *const environments[] = { "production", "staging" };
    char directory[64];

    for (size_t i = 0; i < sizeof environments / sizeof environments[0]; i++) {
        if (environment != NULL && strcmp(environment, environments[i]) != 0)
            continue;
        snprintf(directory, sizeof directory, "%s/", environments[i]);
        if (list_years(store, directory, now, l, err) < 0)
            return -1;
    }
    if (list_years(store, "", now, l, err) < 0)
        return -1;
    if (l->n > 0)
        qsort(l->items, l->n, sizeof *l->items, newest_first);
    return 0;
}

/* ---- fetching those that are new -------------------------------------------------------------------------------- */

struct fetch {
    struct store *store;
    struct history *found;
    struct buf lines; /* of those that were found, for this host's file */
};

struct job {
    const char *key;
    struct buf text;
    struct run run;
    bool good;
};

static int job_init(void *job, void *cookie)
{
    (void)cookie;
    buf_init(&((struct job *)job)->text, RUN_LINE_MAX);
    return 0;
}

static void job_release(void *arg, void *cookie)
{
    struct job *job = arg;

    (void)cookie;
    if (job->good) /* read, but not done: another one failed */
        run_release(&job->run);
    buf_release(&job->text);
}

static void *worker_new(void *cookie)
{
    return cookie; /* a worker keeps nothing */
}

static void worker_free(void *worker)
{
    (void)worker;
}

/* One that is damaged, or gone meanwhile, is passed over; a store that can't be read is not. */
static int job_work(void *arg, void *worker, void *cookie, struct err *err)
{
    struct job *job = arg;
    struct fetch *f = cookie;
    struct err trouble = { 0 };

    (void)worker;
    buf_reset(&job->text);
    job->good = store_get(f->store, job->key, &job->text, NULL, &trouble) == 0 &&
                run_parse(job->text.data, job->text.size, &job->run, &trouble) == 0;
    if (job->good || trouble.class == ERR_NOT_FOUND || trouble.class == ERR_DAMAGED)
        return 0;
    *err = trouble;
    return -1;
}

static int job_done(void *arg, void *cookie, struct err *err)
{
    struct job *job = arg;
    struct fetch *f = cookie;

    if (!job->good) {
        f->found->skipped++;
        return 0;
    }
    job->good = false;
    if (run_write(&job->run, &f->lines, err) < 0) {
        run_release(&job->run);
        return -1;
    }
    buf_putc(&f->lines, '\n');
    return history_add(f->found, &job->run, err);
}

static int fetch_all(struct fetch *f, const struct listing *l, size_t limit, const struct names *known, struct err *err)
{
    static const struct pool_ops ops = {
        .job_size = sizeof(struct job),
        .job_init = job_init,
        .job_release = job_release,
        .worker_new = worker_new,
        .worker_free = worker_free,
        .work = job_work,
        .done = job_done,
    };
    struct pool *pool = pool_new(&ops, f, FETCHERS, FETCHERS, err);
    struct job *job;
    int rc;

    if (pool == NULL)
        return -1;
    for (size_t i = 0; i < l->n && i < limit; i++) {
        if (names_have(known, l->items[i].key))
            continue;
        job = pool_next(pool);
        if (job == NULL)
            break;
        job->key = l->items[i].key;
        pool_submit(pool, job);
    }
    rc = pool_finish(pool, err);
    pool_free(pool);
    return rc;
}

static int know(struct names *known, const struct history *h, struct err *err)
{
    struct buf key;
    int rc = 0;

    buf_init(&key, 1024);
    for (size_t i = 0; i < h->n && rc == 0; i++) {
        buf_reset(&key);
        put_key(&key, &h->runs[i]);
        rc = buf_check(&key, err) < 0 ? -1 : names_add(known, key.data, err);
    }
    buf_release(&key);
    return rc;
}

/* Both are moved into one. */
static int merge(struct history *h, struct history *found, struct err *err)
{
    for (size_t i = 0; i < found->n; i++) {
        struct run r = found->runs[i];

        memset(&found->runs[i], 0, sizeof found->runs[i]);
        if (history_add(h, &r, err) < 0)
            return -1;
    }
    h->skipped += found->skipped;
    history_sort(h);
    return 0;
}

int history_read_store(struct store *store, const struct places *p, const char *environment, time_t now, size_t limit,
                       struct history *h, struct err *err)
{
    struct history found = { 0 };
    struct fetch f = { .store = store, .found = &found };
    struct listing l = { 0 };
    struct names known = { 0 };
    struct err ignored = { 0 };
    int rc = -1;

    buf_init(&f.lines, HISTORY_BYTES);
    if (list_all(store, environment, now, &l, err) < 0 || know(&known, h, err) < 0 ||
        fetch_all(&f, &l, limit, &known, err) < 0)
        goto out;
    if (p->state != NULL && f.lines.size > 0) /* else they are fetched again the next time */
        history_add_lines(p, &f.lines, &ignored);
    rc = merge(h, &found, err);
out:
    for (size_t i = 0; i < l.n; i++)
        free(l.items[i].key);
    free(l.items);
    names_release(&known);
    history_release(&found);
    buf_release(&f.lines);
    return rc;
}
