/* SPDX-License-Identifier: PostgreSQL */
/* pool.h - work spread over threads, its results taken in order.
 *
 * Jobs come from one thread and are numbered as they come. work() runs on any thread, many at a time; done() runs for
 * one job at a time, in the order of submission, on whichever thread finished the job it was waiting for. So the result
 * depends on the order of the jobs alone. The number of jobs in flight is fixed: pool_next waits for a free one. Jobs
 * are reused with all they own, so that nothing is allocated once each has been used.
 *
 *     while ((job = pool_next(pool)) != NULL) {
 *         fill(job);
 *         pool_submit(pool, job);
 *     }
 *     if (pool_finish(pool, err) < 0) ...
 *     pool_free(pool);
 *
 * The threads block all signals; those reach the caller's thread.
 */
#pragma once
#include <stddef.h>
#include "core/base/err.h"

struct pool;

struct pool_ops {
    size_t job_size;                              /* of the caller's job structure, which starts out as zeros */
    int (*job_init)(void *job, void *cookie);     /* its buffers; -1 without memory */
    void (*job_release)(void *job, void *cookie); /* also of a job whose init failed */
    void *(*worker_new)(void *cookie);            /* what a thread keeps, e.g. a compressor; NULL without memory */
    void (*worker_free)(void *worker);
    int (*work)(void *job, void *worker, void *cookie, struct err *err);
    int (*done)(void *job, void *cookie, struct err *err);
};

/* threads 0: as many as processors; never more than POOL_THREADS. spare: jobs in flight beyond one for each thread. */
#define POOL_THREADS 24
struct pool *pool_new(const struct pool_ops *ops, void *cookie, unsigned threads, unsigned spare, struct err *err);

void *pool_next(struct pool *pool);             /* NULL: a job failed; pool_finish says how */
void pool_submit(struct pool *pool, void *job); /* the one that pool_next gave */

/* Waits until all submitted jobs are done. -1 and err: the first failure, in the order of the jobs. May be followed by
 * more jobs when nothing failed. */
int pool_finish(struct pool *pool, struct err *err);

void pool_free(struct pool *pool); /* waits for jobs that run, drops those that do not */
