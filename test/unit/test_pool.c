/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <pthread.h>
#include <signal.h>
#include "core/io/pool.h"

struct trace {
    int jobs, workers, made;
    int order[2000];
    int done;
    int fail_work, fail_done; /* the job's number; -1: none */
    pthread_mutex_t lock;
};

struct job {
    int number;
    long result;
    char *buffer;
};

static int job_init(void *p, void *cookie)
{
    struct job *job = p;

    ((struct trace *)cookie)->made++;
    job->buffer = malloc(100);
    return 0;
}

static void job_release(void *p, void *cookie)
{
    (void)cookie;
    free(((struct job *)p)->buffer);
}

static void *worker_new(void *cookie)
{
    struct trace *t = cookie;

    pthread_mutex_lock(&t->lock);
    t->workers++;
    pthread_mutex_unlock(&t->lock);
    return malloc(1);
}

static int work(void *p, void *worker, void *cookie, struct err *err)
{
    struct trace *t = cookie;
    struct job *job = p;

    (void)worker;
    if (job->number == t->fail_work)
        return err_set(err, ERR_DAMAGED, "work %d", job->number);
    long sum = 0;
    for (int i = 0; i < job->number % 7 * 10000; i++) /* some take longer than others */
        sum += i;
    job->result = sum * 0 + job->number;
    return 0;
}

static int done(void *p, void *cookie, struct err *err)
{
    struct trace *t = cookie;
    struct job *job = p;

    if (job->number == t->fail_done)
        return err_set(err, ERR_SPACE, "done %d", job->number);
    t->order[t->done++] = (int)job->result;
    return 0;
}

static const struct pool_ops ops = { .job_size = sizeof(struct job),
                                     .job_init = job_init,
                                     .job_release = job_release,
                                     .worker_new = worker_new,
                                     .worker_free = free,
                                     .work = work,
                                     .done = done };

static int run(struct trace *t, unsigned threads, unsigned spare, int jobs, struct err *err)
{
    struct pool *pool;
    struct job *job;
    int rc;

    memset(err, 0, sizeof *err);
    pthread_mutex_init(&t->lock, NULL);
    pool = pool_new(&ops, t, threads, spare, err);
    assert_non_null(pool);
    for (int i = 0; i < jobs && (job = pool_next(pool)) != NULL; i++) {
        job->number = i;
        pool_submit(pool, job);
    }
    rc = pool_finish(pool, err);
    pool_free(pool);
    return rc;
}

static void results_come_in_order(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 9; threads += 4)
        for (unsigned spare = 1; spare < 5; spare++) {
            struct trace t = { .fail_work = -1, .fail_done = -1 };
            struct err err;

            assert_int_equal(run(&t, threads, spare, 1000, &err), 0);
            assert_int_equal(t.done, 1000);
            for (int i = 0; i < 1000; i++)
                assert_int_equal(t.order[i], i);
            assert_true(t.made <= (int)(threads + spare));
        }
}

static void the_first_failure_counts(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct trace t = { .fail_work = 100 + i, .fail_done = 90 };
        struct err err;

        assert_int_equal(run(&t, 4, 8, 1000, &err), -1);
        assert_string_equal(err.message, "done 90");
        assert_int_equal(t.done, 90); /* all before it, nothing behind */
        t = (struct trace){ .fail_work = i, .fail_done = 50 };
        assert_int_equal(run(&t, 4, 8, 1000, &err), -1);
        assert_int_equal(err.class, ERR_DAMAGED);
        assert_int_equal(t.done, i);
    }
}

static void no_work_is_fine(void **state)
{
    struct trace t = { .fail_work = -1, .fail_done = -1 };
    struct err err;

    (void)state;
    assert_int_equal(run(&t, 3, 2, 0, &err), 0);
    assert_int_equal(t.made, 0);
}

static void more_after_a_finish(void **state)
{
    struct trace t = { .fail_work = -1, .fail_done = -1, .lock = PTHREAD_MUTEX_INITIALIZER };
    struct err err = { 0 };
    struct pool *pool = pool_new(&ops, &t, 2, 2, &err);

    (void)state;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 3; i++) {
            struct job *job = pool_next(pool);

            job->number = round * 3 + i;
            pool_submit(pool, job);
        }
        assert_int_equal(pool_finish(pool, &err), 0);
        assert_int_equal(t.done, round * 3 + 3);
    }
    pool_next(pool); /* taken and never submitted */
    pool_free(pool);
}

static pthread_t caller;
static volatile sig_atomic_t by_caller, by_others;

static void note_thread(int number)
{
    (void)number;
    if (pthread_equal(pthread_self(), caller))
        by_caller = by_caller + 1;
    else
        by_others = by_others + 1;
}

static void signals_are_the_callers(void **state)
{
    struct trace t = { .fail_work = -1, .fail_done = -1, .lock = PTHREAD_MUTEX_INITIALIZER };
    struct sigaction on = { .sa_handler = note_thread };
    struct err err = { 0 };
    struct pool *pool = pool_new(&ops, &t, 4, 2, &err);

    (void)state;
    caller = pthread_self();
    sigaction(SIGUSR1, &on, NULL);
    for (int i = 0; i < 50; i++)
        kill(getpid(), SIGUSR1);
    assert_int_equal(by_caller, 50);
    assert_int_equal(by_others, 0);
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("results are delivered in the order of the jobs, for any number of threads", results_come_in_order),
        PROMISE("the first failure in that order is told, and all before it was delivered", the_first_failure_counts),
        PROMISE("a pool without work ends", no_work_is_fine),
        PROMISE("after a finish more jobs may come", more_after_a_finish),
        PROMISE("signals go to the thread that made the pool", signals_are_the_callers),
    };
    return RUN_PROMISES(tests);
}
