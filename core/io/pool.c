/* SPDX-License-Identifier: PostgreSQL */
#include "core/io/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/os.h"

#define STACK (512 * 1024) /* musl's default of 128 KiB is near what zstd wants at high levels */

enum state { FREE, TAKEN, READY, RUNNING, FINISHED, FAILED };

struct slot {
    enum state state;
    void *job;
};

/* Jobs are numbered; number i lives in slots[i % slots_n]. done_next <= run_next <= submit_next. */
struct pool {
    struct pool_ops ops;
    void *cookie;
    struct slot *slots;
    size_t slots_n;
    pthread_t *threads;
    unsigned threads_n;

    pthread_mutex_t lock;
    pthread_cond_t work, progress; /* there is a job to run; there is a free slot, or nothing left to do */
    uint64_t submit_next, run_next, done_next;
    unsigned running;
    bool in_done;    /* some thread delivers results */
    bool stopping;   /* the threads are to end */
    uint64_t failed; /* number of the first job that failed; UINT64_MAX: none */
    struct err err;
};

static struct slot *slot_of(struct pool *p, uint64_t number)
{
    return &p->slots[number % p->slots_n];
}

static void note_failure(struct pool *p, uint64_t number, const struct err *err)
{
    slot_of(p, number)->state = FAILED;
    if (number < p->failed) {
        p->failed = number;
        p->err = *err;
    }
    pthread_cond_broadcast(&p->progress);
}

/* Delivers what is finished, in order, with the lock held except while done() runs. One thread at a time: the others
 * go on working, and who delivers looks again before it leaves. */
static void deliver(struct pool *p)
{
    struct err err;

    if (p->in_done)
        return;
    p->in_done = true;
    while (p->done_next < p->submit_next && slot_of(p, p->done_next)->state == FINISHED) {
        struct slot *slot = slot_of(p, p->done_next);

        pthread_mutex_unlock(&p->lock);
        err_clear(&err);
        int rc = p->ops.done(slot->job, p->cookie, &err);
        pthread_mutex_lock(&p->lock);
        if (rc < 0) {
            note_failure(p, p->done_next, &err);
            break;
        }
        slot->state = FREE;
        p->done_next++;
        pthread_cond_signal(&p->progress);
    }
    p->in_done = false;
    pthread_cond_broadcast(&p->progress);
}

static bool may_run(const struct pool *p)
{
    return p->run_next < p->submit_next && p->failed == UINT64_MAX;
}

static void run_one(struct pool *p, void *worker)
{
    uint64_t number = p->run_next++;
    struct slot *slot = slot_of(p, number);
    struct err err;

    slot->state = RUNNING;
    p->running++;
    pthread_mutex_unlock(&p->lock);
    err_clear(&err);
    int rc = worker == NULL ? err_no_memory(&err) : p->ops.work(slot->job, worker, p->cookie, &err);
    pthread_mutex_lock(&p->lock);
    if (rc < 0)
        note_failure(p, number, &err);
    else
        slot->state = FINISHED;
    deliver(p);
    p->running--;
    if (p->running == 0)
        pthread_cond_broadcast(&p->progress);
}

static void *thread_main(void *cookie)
{
    struct pool *p = cookie;
    void *worker = p->ops.worker_new(p->cookie);

    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        if (may_run(p))
            run_one(p, worker);
        else
            pthread_cond_wait(&p->work, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    if (worker != NULL)
        p->ops.worker_free(worker);
    return NULL;
}

static int start_threads(struct pool *p, unsigned wanted, struct err *err)
{
    pthread_attr_t attr;
    sigset_t all, before;
    int rc = 0;

    if (pthread_attr_init(&attr) != 0)
        return err_no_memory(err);
    pthread_attr_setstacksize(&attr, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the threads */
    while (p->threads_n < wanted) {
        rc = pthread_create(&p->threads[p->threads_n], &attr, thread_main, p);
        if (rc != 0)
            break; /* where threads are scarce, fewer will do */
        p->threads_n++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (p->threads_n == 0)
        return err_set(err, ERR_INTERNAL, "can't start a thread: %s", strerror(rc));
    return 0;
}

/* A job is made when its turn comes for the first time: little work needs little memory. */
static int make_job(struct pool *p, struct slot *slot, struct err *err)
{
    slot->job = calloc(1, p->ops.job_size);
    if (slot->job == NULL || p->ops.job_init(slot->job, p->cookie) < 0)
        return err_no_memory(err);
    return 0;
}

struct pool *pool_new(const struct pool_ops *ops, void *cookie, unsigned threads, unsigned spare, struct err *err)
{
    struct pool *p = calloc(1, sizeof *p);

    if (p == NULL) {
        err_no_memory(err);
        return NULL;
    }
    if (threads == 0)
        threads = os_cpus();
    if (threads > POOL_THREADS)
        threads = POOL_THREADS;
    p->ops = *ops;
    p->cookie = cookie;
    p->failed = UINT64_MAX;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->progress, NULL);
    p->threads = calloc(threads, sizeof *p->threads);
    p->slots = calloc(threads + spare, sizeof *p->slots);
    if (p->threads == NULL || p->slots == NULL) {
        err_no_memory(err);
        goto fail;
    }
    p->slots_n = threads + spare;
    if (start_threads(p, threads, err) < 0)
        goto fail;
    return p;
fail:
    pool_free(p);
    return NULL;
}

void *pool_next(struct pool *p)
{
    void *job = NULL;
    struct err err;

    pthread_mutex_lock(&p->lock);
    struct slot *slot = slot_of(p, p->submit_next);
    while (p->failed == UINT64_MAX && slot->state != FREE && slot->state != TAKEN)
        pthread_cond_wait(&p->progress, &p->lock);
    err_clear(&err);
    if (p->failed == UINT64_MAX && slot->job == NULL && make_job(p, slot, &err) < 0)
        note_failure(p, p->submit_next, &err);
    if (p->failed == UINT64_MAX) {
        slot->state = TAKEN;
        job = slot->job;
    }
    pthread_mutex_unlock(&p->lock);
    return job;
}

void pool_submit(struct pool *p, void *job)
{
    (void)job; /* there is only one that was taken */
    pthread_mutex_lock(&p->lock);
    slot_of(p, p->submit_next)->state = READY;
    p->submit_next++;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

int pool_finish(struct pool *p, struct err *err)
{
    int rc = 0;

    pthread_mutex_lock(&p->lock);
    while (p->running > 0 || p->in_done || (p->failed == UINT64_MAX && p->done_next < p->submit_next))
        pthread_cond_wait(&p->progress, &p->lock);
    if (p->failed != UINT64_MAX) {
        *err = p->err;
        rc = -1;
    }
    pthread_mutex_unlock(&p->lock);
    return rc;
}

void pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->threads_n; i++)
        pthread_join(p->threads[i], NULL);
    for (size_t i = 0; i < p->slots_n; i++)
        if (p->slots[i].job != NULL) {
            p->ops.job_release(p->slots[i].job, p->cookie);
            free(p->slots[i].job);
        }
    pthread_cond_destroy(&p->progress);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->threads);
    free(p->slots);
    free(p);
}
