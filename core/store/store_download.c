/* SPDX-License-Identifier: PostgreSQL */
/* store_download.c - a whole object into a file, in parallel ranges of one version. */
#include <signal.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/os.h"
#include "core/store/store_impl.h"

#define RANGE (16ULL << 20)

struct download {
    struct store *store;
    const char *key;
    char etag[128];
    int fd;
    uint64_t size;
    store_progress *progress;
    void *cookie;

    pthread_mutex_t lock;
    uint64_t next; /* where the next range begins */
    atomic_bool cancel;
    struct err err; /* what went wrong first */
};

/* One range on its way into the file. */
struct range {
    struct download *d;
    uint64_t at;
};

static int into_file(void *cookie, const void *bytes, size_t n, struct err *err)
{
    struct range *r = cookie;
    struct download *d = r->d;

    if (os_pwrite(d->fd, bytes, n, r->at, "the downloaded file", err) < 0)
        return -1;
    r->at += n;
    if (d->progress) {
        pthread_mutex_lock(&d->lock);
        d->progress(d->cookie, n);
        pthread_mutex_unlock(&d->lock);
    }
    return 0;
}

static void fail(struct download *d, const struct err *err)
{
    pthread_mutex_lock(&d->lock);
    if (d->err.class == ERR_NONE)
        d->err = *err;
    atomic_store(&d->cancel, true);
    pthread_mutex_unlock(&d->lock);
}

static bool take_range(struct download *d, uint64_t *offset, uint64_t *n)
{
    pthread_mutex_lock(&d->lock);
    *offset = d->next;
    *n = d->size - d->next < RANGE ? d->size - d->next : RANGE;
    d->next += *n;
    pthread_mutex_unlock(&d->lock);
    return *n > 0 && !atomic_load(&d->cancel);
}

static int fetch(struct download *d, uint64_t offset, uint64_t n, struct store_info *info, struct err *err)
{
    struct range r = { .d = d, .at = offset };
    uint64_t end = offset + n;

    if (d->store->ops->read(d->store, d->key, d->etag, offset, n, &d->cancel, into_file, &r, info, err) < 0)
        return -1;
    if (info && info->size < end)
        end = info->size;
    if (r.at != end)
        return err_set(err, ERR_DAMAGED, "%s/%s has fewer bytes than its size says", d->store->url, d->key);
    return 0;
}

static void *work(void *cookie)
{
    struct download *d = cookie;
    uint64_t offset, n;

    while (take_range(d, &offset, &n)) {
        struct err err = { 0 };

        if (fetch(d, offset, n, NULL, &err) < 0)
            fail(d, &err);
    }
    return NULL;
}

static void run(struct download *d)
{
    pthread_t threads[32];
    uint64_t ranges = (d->size - d->next + RANGE - 1) / RANGE;
    unsigned n = 0, wanted = d->store->parallel < 32 ? d->store->parallel : 32;
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the caller's */
    while (n < wanted && n + 1 < ranges && pthread_create(&threads[n], NULL, work, d) == 0)
        n++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    work(d);
    while (n > 0)
        pthread_join(threads[--n], NULL);
}

int store_download(struct store *s, const char *key, const char *etag, int fd, struct store_info *out,
                   store_progress *progress, void *cookie, struct err *err)
{
    struct download d = { .store = s, .key = key, .fd = fd, .progress = progress, .cookie = cookie };
    struct store_info info = { 0 };

    if (store_check(s, STORE_READ, key, err) < 0)
        return -1;
    pthread_mutex_init(&d.lock, NULL);
    if (etag)
        snprintf(d.etag, sizeof d.etag, "%s", etag);
    /* The first range tells the size, and which version it is. */
    if (fetch(&d, 0, RANGE, &info, &d.err) == 0) {
        memcpy(d.etag, info.etag, sizeof d.etag);
        d.size = info.size;
        d.next = d.size < RANGE ? d.size : RANGE;
        run(&d);
    }
    pthread_mutex_destroy(&d.lock);
    if (d.err.class != ERR_NONE) {
        *err = d.err;
        return -1;
    }
    *out = info;
    return 0;
}
