/* SPDX-License-Identifier: PostgreSQL */
#include "core/store/s3_parts.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 32

struct s3_parts {
    part_sender *sender;
    void *cookie;
    pthread_t threads[MAX_THREADS];
    unsigned threads_n, running;
    unsigned made, held;
    uint64_t memory, used; /* bytes of room: the limit, and what all parts have */
    pthread_mutex_t lock;
    pthread_cond_t work, progress; /* there is a part to send; one has been sent, or none will be */
    struct part *free, *first, **last;
    bool stopping;
    struct err err; /* what failed first */
};

/* With the lock. */
static void note_failure(struct s3_parts *s, const struct err *err)
{
    if (s->err.class == ERR_NONE)
        s->err = *err;
    pthread_cond_broadcast(&s->progress);
}

static void give_back(struct s3_parts *s, struct part *p)
{
    p->next = s->free;
    s->free = p;
    pthread_cond_broadcast(&s->progress);
}

/* With the lock, which it gives up meanwhile. */
static void send_first(struct s3_parts *s)
{
    struct part *p = s->first;
    struct err err = { 0 };
    int rc;

    s->first = p->next;
    if (!s->first)
        s->last = &s->first;
    if (s->err.class == ERR_NONE) {
        s->running++;
        pthread_mutex_unlock(&s->lock);
        rc = s->sender(s->cookie, p, &err);
        pthread_mutex_lock(&s->lock);
        s->running--;
        if (rc < 0)
            note_failure(s, &err);
    }
    give_back(s, p);
}

static void *thread_main(void *cookie)
{
    struct s3_parts *s = cookie;

    pthread_mutex_lock(&s->lock);
    while (!s->stopping)
        if (s->first)
            send_first(s);
        else
            pthread_cond_wait(&s->work, &s->lock);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct s3_parts *s3_parts_new(unsigned threads, unsigned held, uint64_t memory, part_sender *sender, void *cookie,
                              struct err *err)
{
    struct s3_parts *s = calloc(1, sizeof *s);
    sigset_t all, before;

    if (!s) {
        err_no_memory(err);
        return NULL;
    }
    s->sender = sender;
    s->cookie = cookie;
    s->held = held;
    s->memory = memory;
    s->last = &s->first;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    pthread_cond_init(&s->progress, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the threads */
    while (s->threads_n < threads && s->threads_n < MAX_THREADS &&
           pthread_create(&s->threads[s->threads_n], NULL, thread_main, s) == 0)
        s->threads_n++; /* where threads are scarce, fewer will do */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (s->threads_n == 0) {
        err_set(err, ERR_INTERNAL, "no thread to be had for the upload");
        s3_parts_free(s);
        return NULL;
    }
    return s;
}

/* With the lock, as the next two. Parts only ever grow: a free one that is too small gives its room back. */
static bool find_room(struct s3_parts *s, uint64_t room)
{
    for (struct part *p = s->free; p; p = p->next) {
        if (p->room >= room)
            return true;
        s->used -= p->room;
        free(p->bytes);
        p->bytes = NULL;
        p->room = 0;
    }
    return (s->free || s->made < s->held) && (s->used == 0 || s->used + room <= s->memory);
}

static struct part *take_free(struct s3_parts *s, uint64_t room)
{
    struct part **at = &s->free, *p;

    while (*at && (*at)->room < room && (*at)->next)
        at = &(*at)->next;
    p = *at;
    if (p)
        *at = p->next;
    else if ((p = calloc(1, sizeof *p)))
        s->made++;
    return p;
}

static bool enlarge(struct s3_parts *s, struct part *p, uint64_t room)
{
    if (p->room >= room)
        return true;
    p->bytes = malloc(room);
    if (!p->bytes)
        return false;
    p->room = room;
    s->used += room;
    return true;
}

struct part *s3_parts_take(struct s3_parts *s, uint64_t room, struct err *err)
{
    struct part *p = NULL;

    pthread_mutex_lock(&s->lock);
    while (s->err.class == ERR_NONE && !find_room(s, room))
        pthread_cond_wait(&s->progress, &s->lock);
    if (s->err.class != ERR_NONE) {
        *err = s->err;
    } else if (!(p = take_free(s, room)) || !enlarge(s, p, room)) {
        err_no_memory(err);
        if (p)
            give_back(s, p);
        p = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    if (p) {
        p->size = 0;
        p->summed = false;
        p->next = NULL;
    }
    return p;
}

void s3_parts_send(struct s3_parts *s, struct part *p)
{
    pthread_mutex_lock(&s->lock);
    p->next = NULL;
    *s->last = p;
    s->last = &p->next;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

bool s3_parts_idle(struct s3_parts *s)
{
    bool idle;

    pthread_mutex_lock(&s->lock);
    idle = s->running < s->threads_n && !s->first;
    pthread_mutex_unlock(&s->lock);
    return idle;
}

int s3_parts_wait(struct s3_parts *s, struct err *err)
{
    int rc = 0;

    pthread_mutex_lock(&s->lock);
    while (s->running > 0 || s->first)
        pthread_cond_wait(&s->progress, &s->lock);
    if (s->err.class != ERR_NONE) {
        *err = s->err;
        rc = -1;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

void s3_parts_stop(struct s3_parts *s, const struct err *why)
{
    pthread_mutex_lock(&s->lock);
    note_failure(s, why);
    pthread_mutex_unlock(&s->lock);
}

static void free_list(struct part *p)
{
    while (p) {
        struct part *next = p->next;

        free(p->bytes);
        free(p);
        p = next;
    }
}

void s3_parts_free(struct s3_parts *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
    while (s->threads_n > 0)
        pthread_join(s->threads[--s->threads_n], NULL);
    free_list(s->first);
    free_list(s->free);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->progress);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
