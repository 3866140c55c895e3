/* SPDX-License-Identifier: PostgreSQL */
/* witness.c - walk(), at the end of a pipe or behind somebody who writes a file. */
#include "core/pg/witness.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/os.h"
#include "core/io/digest.h"

#define PIPE_SIZE (1024 * 1024)

struct witness {
    pthread_t thread;
    bool running;
    struct walk_params params;

    int in, out; /* a pipe: written to in, read from out; -1: closed */
    uint64_t at; /* of out: how far the walk has read */

    int file; /* that grows; -1: none */
    const char *name;
    pthread_mutex_t lock; /* of available, ended, failed */
    pthread_cond_t more;
    uint64_t available;
    bool ended;            /* no more will come */
    bool failed;           /* the walk has */
    struct digest *digest; /* of what is behind the contents, */
    uint64_t contents;     /* of which so many bytes are still to come */

    struct walk_result result;
    struct err err;
    int rc;
};

/* ---- the walk -------------------------------------------------------------------------------------------------- */

/* A walk goes back only where a block could not be inflated piece by piece, as one of ours can. */
static ssize_t read_pipe(void *cookie, void *bytes, size_t n, uint64_t offset, struct err *err)
{
    struct witness *w = cookie;
    ssize_t got;

    if (offset != w->at)
        return err_set(err, ERR_DAMAGED, "offset %llu: what was compressed here can't be inflated again",
                       (unsigned long long)offset);
    got = os_read(w->out, bytes, n, "the archive that passes", err);
    if (got > 0)
        w->at += (uint64_t)got;
    return got;
}

static ssize_t read_file(void *cookie, void *bytes, size_t n, uint64_t offset, struct err *err)
{
    struct witness *w = cookie;
    uint64_t available;

    pthread_mutex_lock(&w->lock);
    while (w->available <= offset && !w->ended)
        pthread_cond_wait(&w->more, &w->lock);
    available = w->available;
    pthread_mutex_unlock(&w->lock);
    if (available <= offset)
        return 0;
    return os_pread(w->file, bytes, n < available - offset ? n : (size_t)(available - offset), offset, w->name, err);
}

static void sum_up(void *cookie, const void *bytes, size_t n)
{
    struct witness *w = cookie;
    size_t contents = n < w->contents ? n : (size_t)w->contents;

    w->contents -= contents;
    digest_put(w->digest, (const char *)bytes + contents, n - contents);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void *watch(void *cookie)
{
    struct witness *w = cookie;

    w->rc = walk(&w->params, &w->result, &w->err);
    close_fd(&w->out); /* whoever still writes is told */
    pthread_mutex_lock(&w->lock);
    w->failed = w->rc < 0;
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static int start(struct witness *w, struct err *err)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the threads of the walk, too */
    w->running = pthread_create(&w->thread, NULL, watch, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return w->running ? 0 : err_set(err, ERR_INTERNAL, "no thread to be had");
}

static void stop(struct witness *w)
{
    close_fd(&w->in); /* the end of the archive, */
    pthread_mutex_lock(&w->lock);
    w->ended = true; /* this way or that */
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    if (w->running)
        pthread_join(w->thread, NULL);
    w->running = false;
}

/* ---- one that passes ------------------------------------------------------------------------------------------- */

static struct witness *new_witness(unsigned jobs, struct err *err)
{
    struct witness *w = calloc(1, sizeof *w);

    if (w == NULL) {
        err_no_memory(err);
        return NULL;
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    w->in = w->out = w->file = w->rc = -1;
    w->params = (struct walk_params){ .file = { .cookie = w, .size = WALK_STREAM }, .jobs = jobs };
    return w;
}

static int make_pipe(struct witness *w, struct err *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, "can't make a pipe");
    w->out = fds[0];
    w->in = fds[1];
    (void)fcntl(w->in, F_SETPIPE_SZ, PIPE_SIZE);
    return 0;
}

struct witness *witness_new(unsigned jobs, struct err *err)
{
    struct witness *w = new_witness(jobs, err);

    if (w == NULL)
        return NULL;
    w->params.file.read_at = read_pipe;
    if (make_pipe(w, err) == 0 && start(w, err) == 0)
        return w;
    witness_free(w);
    return NULL;
}

int witness_write(struct witness *w, const void *bytes, size_t n, struct err *err)
{
    struct err broken = { 0 };

    if (os_write(w->in, bytes, n, "the archive that passes", &broken) == 0)
        return 0;
    stop(w);
    *err = w->err.class != ERR_NONE ? w->err : broken;
    return -1;
}

/* ---- one that grows in a file ---------------------------------------------------------------------------------- */

struct witness *witness_follow(int fd, uint64_t contents, const char *name, unsigned jobs, struct err *err)
{
    struct witness *w = new_witness(jobs, err);

    if (w == NULL)
        return NULL;
    w->file = fd;
    w->name = name;
    w->contents = contents;
    w->digest = digest_new(DIGEST_XXH3);
    w->params.file.read_at = read_file;
    w->params.seen = sum_up;
    w->params.seen_cookie = w;
    if (w->digest == NULL)
        err_no_memory(err);
    else if (start(w, err) == 0)
        return w;
    witness_free(w);
    return NULL;
}

int witness_advance(struct witness *w, uint64_t size, struct err *err)
{
    bool failed;

    pthread_mutex_lock(&w->lock);
    w->available = size;
    failed = w->failed;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    if (!failed)
        return 0;
    stop(w);
    *err = w->err;
    return -1;
}

void witness_sum(struct witness *w, uint8_t xxh3[16])
{
    struct digest_sum sum;

    digest_end(w->digest, &sum);
    memcpy(xxh3, sum.xxh3, sizeof sum.xxh3);
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

int witness_finish(struct witness *w, struct walk_result *result, struct err *err)
{
    stop(w);
    if (w->rc < 0) {
        *err = w->err;
        return -1;
    }
    *result = w->result; /* moved */
    w->rc = -1;
    return 0;
}

void witness_free(struct witness *w)
{
    if (w == NULL)
        return;
    stop(w);
    close_fd(&w->out);
    if (w->rc == 0)
        walk_result_release(&w->result);
    digest_free(w->digest);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
