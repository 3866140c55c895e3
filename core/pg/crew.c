/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/crew.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct crew {
    const struct target *target;
    const char *session_options;
    crew_work *work;
    void *cookie;
    size_t n;
    pthread_mutex_t lock; /* of what follows */
    size_t next;
    bool failed;
    struct err *err;
};

/* The next job's number, n when there is none. */
static size_t take(struct crew *crew)
{
    size_t i;

    pthread_mutex_lock(&crew->lock);
    i = crew->failed ? crew->n : crew->next;
    if (i < crew->n)
        crew->next++;
    pthread_mutex_unlock(&crew->lock);
    return i;
}

static void fail(struct crew *crew, const struct err *err)
{
    pthread_mutex_lock(&crew->lock);
    if (!crew->failed)
        *crew->err = *err;
    crew->failed = true;
    pthread_mutex_unlock(&crew->lock);
}

static void *hand(void *arg)
{
    struct crew *crew = arg;
    struct err err = { 0 };
    PGconn *c = conn_open(crew->target, crew->session_options, &err);
    size_t i;

    if (c == NULL)
        fail(crew, &err);
    else
        while ((i = take(crew)) < crew->n)
            if (crew->work(c, i, crew->cookie, &err) < 0) {
                fail(crew, &err);
                break;
            }
    conn_close(c);
    return NULL;
}

int crew_run(const struct target *target, const char *session_options, unsigned hands, size_t n, crew_work *work,
             void *cookie, struct err *err)
{
    struct crew crew = { target, session_options, work, cookie, n, PTHREAD_MUTEX_INITIALIZER, 0, false, err };
    pthread_t *threads = NULL;
    unsigned started = 0;
    sigset_t all, before;

    if (n == 0)
        return 0;
    if (hands > n)
        hands = (unsigned)n;
    if (hands > 1)
        threads = calloc(hands, sizeof *threads);
    if (threads != NULL) {
        sigfillset(&all); /* signals are this thread's business; the others see the flag that it sets */
        pthread_sigmask(SIG_BLOCK, &all, &before);
        while (started + 1 < hands && pthread_create(&threads[started], NULL, hand, &crew) == 0)
            started++;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    hand(&crew); /* this thread is one of them */
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    pthread_mutex_destroy(&crew.lock);
    return crew.failed ? -1 : 0;
}
