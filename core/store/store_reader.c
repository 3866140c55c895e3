/* SPDX-License-Identifier: PostgreSQL */
/* store_reader.c - a range of an object that is fetched ahead of its reader. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/base/os.h"
#include "core/store/store_impl.h"

#define AHEAD (1024 * 1024)

struct store_reader {
    struct store *store;
    char *key, *etag;
    uint64_t offset, n;
    int in, out; /* a pipe: written to in by the thread, read from out; -1: closed */
    pthread_t thread;
    bool running;
    atomic_bool cancel;
    struct err err; /* the thread's */
    int rc;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int pass_on(void *cookie, const void *bytes, size_t n, struct err *err)
{
    const struct store_reader *r = cookie;

    return os_write(r->in, bytes, n, "what is read ahead", err);
}

static void *fetch(void *cookie)
{
    struct store_reader *r = cookie;

    r->rc = r->store->ops->read(r->store, r->key, r->etag, r->offset, r->n, &r->cancel, pass_on, r, NULL, &r->err);
    close_fd(&r->in);
    return NULL;
}

static int start(struct store_reader *r, struct err *err)
{
    sigset_t all, before;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, "can't make a pipe");
    r->out = fds[0];
    r->in = fds[1];
    (void)fcntl(r->in, F_SETPIPE_SZ, AHEAD);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r->running = pthread_create(&r->thread, NULL, fetch, r) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r->running ? 0 : err_set(err, ERR_INTERNAL, "no thread to be had for reading");
}

struct store_reader *store_reader_open(struct store *s, const char *key, const char *etag, uint64_t offset, uint64_t n,
                                       struct err *err)
{
    struct store_reader *r;

    if (store_check(s, STORE_READ, key, err) < 0)
        return NULL;
    r = calloc(1, sizeof *r);
    if (!r) {
        err_no_memory(err);
        return NULL;
    }
    r->in = r->out = -1;
    r->store = s;
    r->offset = offset;
    r->n = n;
    r->key = strdup(key);
    r->etag = etag ? strdup(etag) : NULL;
    if (!r->key || (etag && !r->etag))
        err_no_memory(err);
    else if (start(r, err) == 0)
        return r;
    store_reader_close(r);
    return NULL;
}

static void join(struct store_reader *r)
{
    if (r->running)
        pthread_join(r->thread, NULL);
    r->running = false;
}

ssize_t store_reader_read(struct store_reader *r, void *bytes, size_t n, struct err *err)
{
    ssize_t got = os_read(r->out, bytes, n, "what is read ahead", err);

    if (got < 0 || (size_t)got == n)
        return got;
    join(r); /* the end, or trouble */
    if (r->rc == 0)
        return got;
    *err = r->err;
    return -1;
}

void store_reader_close(struct store_reader *r)
{
    if (!r)
        return;
    atomic_store(&r->cancel, true);
    close_fd(&r->out); /* a thread that waits for its reader is told */
    join(r);
    close_fd(&r->in);
    free(r->key);
    free(r->etag);
    free(r);
}
