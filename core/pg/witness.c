/* SPDX-License-Identifier: PostgreSQL */
/* witness.c - a pipe, with walk() at its end. */
#include "core/pg/witness.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/os.h"

#define PIPE_SIZE (1024 * 1024)

struct witness {
    int in, out; /* written to in, read from out; -1: closed */
    pthread_t thread;
    bool running;
    struct walk_params params;
    uint64_t at; /* of out: how far the walk has read */
    struct walk_result result;
    struct err err;
    int rc;
};

/* A walk goes back only where a block could not be inflated piece by piece, as one of ours can. */
static ssize_t read_at(void *cookie, void *bytes, size_t n, uint64_t offset, struct err *err)
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
    return NULL;
}

static int start(struct witness *w, struct err *err)
{
    sigset_t all, before;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, "can't make a pipe");
    w->out = fds[0];
    w->in = fds[1];
    (void)fcntl(w->in, F_SETPIPE_SZ, PIPE_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the threads of the walk, too */
    w->running = pthread_create(&w->thread, NULL, watch, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return w->running ? 0 : err_set(err, ERR_INTERNAL, "no thread to be had");
}

static void stop(struct witness *w)
{
    close_fd(&w->in); /* the end of the archive */
    if (w->running)
        pthread_join(w->thread, NULL);
    w->running = false;
}

struct witness *witness_new(unsigned jobs, struct err *err)
{
    struct witness *w = calloc(1, sizeof *w);

    if (w == NULL) {
        err_no_memory(err);
        return NULL;
    }
    w->in = w->out = w->rc = -1;
    w->params = (struct walk_params){ .file = { .read_at = read_at, .cookie = w, .size = WALK_STREAM }, .jobs = jobs };
    if (start(w, err) == 0)
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
    free(w);
}
