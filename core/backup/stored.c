/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/stored.h"

#include <string.h>

#define NOWHERE UINT64_MAX

/* Takes the bytes from what is read ahead. 0: that is elsewhere. */
static ssize_t read_ahead(struct stored *s, void *bytes, size_t n, uint64_t offset, struct err *err)
{
    ssize_t got = 0;

    pthread_mutex_lock(&s->lock);
    if (s->ahead != NULL && atomic_load(&s->at) == offset) {
        if (n > s->end - offset)
            n = (size_t)(s->end - offset);
        got = store_reader_read(s->ahead, bytes, n, err);
        atomic_store(&s->at, got > 0 && offset + (uint64_t)got < s->end ? offset + (uint64_t)got : NOWHERE);
    }
    pthread_mutex_unlock(&s->lock);
    return got;
}

static ssize_t stored_read_at(void *cookie, void *bytes, size_t n, uint64_t offset, struct err *err)
{
    struct stored *s = cookie;

    if (n > 0 && atomic_load(&s->at) == offset) {
        ssize_t got = read_ahead(s, bytes, n, offset, err);

        if (got != 0)
            return got;
    }
    return store_read_at(s->store, s->key, s->info.etag, bytes, n, offset, err);
}

int stored_open(struct stored *s, struct store *store, const char *key, const struct store_info *info,
                struct walk_file *file, struct err *err)
{
    memset(s, 0, sizeof *s);
    if (info != NULL)
        s->info = *info;
    else if (store_head(store, key, &s->info, err) < 0)
        return -1;
    s->store = store;
    s->key = key;
    s->at = NOWHERE;
    pthread_mutex_init(&s->lock, NULL);
    *file = (struct walk_file){ .read_at = stored_read_at, .cookie = s, .size = s->info.size };
    return 0;
}

int stored_expect(struct stored *s, uint64_t from, uint64_t to, struct err *err)
{
    if (to > s->info.size)
        to = s->info.size;
    store_reader_close(s->ahead);
    s->ahead = NULL;
    atomic_store(&s->at, NOWHERE);
    if (from >= to)
        return 0;
    s->ahead = store_reader_open(s->store, s->key, s->info.etag, from, to - from, err);
    if (s->ahead == NULL)
        return -1;
    s->end = to;
    atomic_store(&s->at, from);
    return 0;
}

void stored_close(struct stored *s)
{
    if (s->store == NULL)
        return;
    store_reader_close(s->ahead);
    pthread_mutex_destroy(&s->lock);
    memset(s, 0, sizeof *s);
}
