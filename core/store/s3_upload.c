/* SPDX-License-Identifier: PostgreSQL */
/* s3_upload.c - an upload that streams: parts in parallel, the first one last, nothing half there. */
#include "core/store/s3_upload.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/store/s3_parts.h"
#include "core/store/s3_sums.h"

struct s3_upload {
    struct upload up;
    struct store_s3 *s;
    uint64_t memory;
    char *key, *content_type;
    bool if_absent;
    store_progress *progress;
    void *progress_cookie;
    struct s3_plan plan;
    struct s3_parts *sending;
    struct s3_part *parts; /* what has come of them: plan.max_parts */
    unsigned held;         /* the first ones: sent when nothing in them changes any more */
    unsigned n;            /* parts begun, the held ones included; 0: nothing beyond those yet */
    char id[S3_UPLOAD_ID]; /* "": not created */
    bool twice;            /* creating it may have been done twice */
    bool outgrown;         /* the file has become larger than all parts can carry */
    bool done;
    bool wrong, unsure; /* of one that failed at the end: it is there, and not what was sent; it may be there */
    uint64_t size;      /* of the whole, known at the end, and the ETag that it must get */
    char expected[128];

    char *first; /* in memory: the held parts */
    size_t first_n;
    struct part *current;             /* is being filled */
    struct part *waiting[MD5X_LANES]; /* filled; their MD5s are computed side by side */
    unsigned waiting_n;

    int fd;               /* 0: in memory */
    uint64_t next_offset; /* where the next part begins; only who hands out parts looks */
    pthread_t follower;
    bool following, ended; /* ended: no more will come */
    pthread_cond_t more;

    pthread_mutex_t lock; /* of available, ended, err, progress */
    atomic_bool cancel;
    struct err err; /* what went wrong first */
};

/* ---- trouble ------------------------------------------------------------------------------------------------- */

/* The first failure stops everything else, and is the one that is told: the rest are its victims. */
static int fail(struct s3_upload *u, const struct err *err)
{
    pthread_mutex_lock(&u->lock);
    if (u->err.class == ERR_NONE)
        u->err = *err;
    atomic_store(&u->cancel, true);
    pthread_cond_broadcast(&u->more);
    pthread_mutex_unlock(&u->lock);
    if (u->sending)
        s3_parts_stop(u->sending, err);
    return -1;
}

/* -1 and err once something has failed. */
static int check_failed(struct s3_upload *u, struct err *err)
{
    int rc = 0;

    pthread_mutex_lock(&u->lock);
    if (u->err.class != ERR_NONE) {
        *err = u->err;
        rc = -1;
    }
    pthread_mutex_unlock(&u->lock);
    return rc;
}

static void note_progress(struct s3_upload *u, uint64_t bytes)
{
    if (!u->progress)
        return;
    pthread_mutex_lock(&u->lock);
    u->progress(u->progress_cookie, bytes);
    pthread_mutex_unlock(&u->lock);
}

/* ---- one part, on a thread ----------------------------------------------------------------------------------- */

/* A body of memory, or of the file when bytes is NULL, and its sums, unless its MD5 is known already. */
static int make_body(struct s3_upload *u, const void *bytes, uint64_t offset, uint64_t size, struct s3_body *body,
                     struct digest_sum *sum, bool summed, struct err *err)
{
    int which = s3_signs_bodies(u->s->s3) ? DIGEST_MD5 | DIGEST_SHA256 : DIGEST_MD5;

    *body = (struct s3_body){
        .bytes = bytes,
        .size = size,
        .fd = u->fd,
        .offset = offset,
        .sum = sum,
        .content_type = u->content_type,
        .if_absent = u->if_absent,
        .cancel = &u->cancel,
    };
    return summed ? 0 : s3_sums_one(which, bytes, u->fd, offset, size, sum, err);
}

static int send_part(void *cookie, struct part *p, struct err *err)
{
    struct s3_upload *u = cookie;
    struct digest_sum sum;
    struct s3_body body;

    memcpy(sum.md5, p->md5, sizeof sum.md5);
    if (make_body(u, p->bytes, p->offset, p->size, &body, &sum, p->summed, err) < 0 ||
        s3_put_part(u->s->s3, u->key, u->id, p->number, &body, &u->parts[p->number - 1], err) < 0)
        return fail(u, err);
    note_progress(u, p->size);
    return 0;
}

/* ---- handing out parts --------------------------------------------------------------------------------------- */

/* A part beyond the held ones is what makes it a multipart upload. */
static int create(struct s3_upload *u, struct err *err)
{
    unsigned n = u->plan.threads + u->plan.spare;
    uint64_t memory = u->memory > u->up.first_size ? u->memory - u->up.first_size : 0;

    if (!u->parts) /* not again when it starts over */
        u->parts = calloc(u->plan.max_parts, sizeof *u->parts);
    if (!u->parts)
        return err_no_memory(err);
    if (s3_create_upload(u->s->s3, u->key, u->content_type, &u->cancel, u->id, &u->twice, err) < 0)
        return -1;
    u->sending = s3_parts_new(u->plan.threads, u->fd ? n + MD5X_LANES : n, memory, send_part, u, err);
    u->n = u->held;
    return u->sending ? 0 : -1;
}

static int send_waiting(struct s3_upload *u, struct err *err)
{
    int rc = 0;

    if (u->waiting_n >= S3_SUMS_WORTH && !s3_signs_bodies(u->s->s3))
        rc = s3_sums_many(u->waiting, u->waiting_n, u->fd, err);
    if (rc < 0)
        fail(u, err);
    for (unsigned i = 0; i < u->waiting_n; i++)
        s3_parts_send(u->sending, u->waiting[i]);
    u->waiting_n = 0;
    return rc;
}

static struct part *next_part(struct s3_upload *u, struct err *err)
{
    uint64_t size;
    struct part *p;

    if (u->n == 0 && create(u, err) < 0)
        return NULL;
    if (u->n >= u->plan.max_parts) {
        s3_plan_exceeded(&u->plan, u->key, u->fd != 0, err);
        return NULL;
    }
    size = s3_plan_part_size(&u->plan, u->n + 1);
    if (u->waiting_n > 0 && u->waiting[0]->size != size && send_waiting(u, err) < 0)
        return NULL; /* those that wait for others like them must not keep a larger one from its room */
    p = s3_parts_take(u->sending, u->fd ? 0 : size, err);
    if (!p)
        return NULL;
    p->number = ++u->n;
    p->offset = u->next_offset;
    return p;
}

/* A part is whole. While all senders are busy it waits for others, so that their MD5s cost less. */
static int add_part(struct s3_upload *u, struct part *p, bool more_soon, struct err *err)
{
    unsigned most = u->fd || u->plan.spare > MD5X_LANES ? MD5X_LANES : u->plan.spare;

    u->next_offset += p->size;
    if (u->waiting_n > 0 && u->waiting[0]->size != p->size && send_waiting(u, err) < 0) {
        s3_parts_send(u->sending, p); /* which drops it */
        return -1;
    }
    u->waiting[u->waiting_n++] = p;
    if (u->waiting_n < most && more_soon && !s3_parts_idle(u->sending))
        return 0;
    return send_waiting(u, err);
}

/* ---- bytes that are written ---------------------------------------------------------------------------------- */

static size_t fill(char *to, uint64_t *used, uint64_t room, const char *from, size_t n)
{
    uint64_t left = room - *used;

    if (n > left)
        n = (size_t)left;
    memcpy(to + *used, from, n);
    *used += n;
    return n;
}

static int fill_part(struct s3_upload *u, const char **at, size_t *n, struct err *err)
{
    struct part *p = u->current;
    uint64_t size;
    size_t took;

    if (!p && !(p = u->current = next_part(u, err)))
        return -1;
    size = s3_plan_part_size(&u->plan, p->number);
    took = fill(p->bytes, &p->size, size, *at, *n);
    *at += took;
    *n -= took;
    if (p->size < size)
        return 0;
    u->current = NULL;
    return add_part(u, p, true, err);
}

static int do_write(struct upload *up, const void *bytes, size_t n, struct err *err)
{
    struct s3_upload *u = (struct s3_upload *)up;
    const char *at = bytes;
    uint64_t used = u->first_n;
    size_t took = fill(u->first, &used, up->first_size, at, n);

    u->first_n = (size_t)used;
    at += took;
    n -= took;
    while (n > 0)
        if (fill_part(u, &at, &n, err) < 0)
            return fail(u, err);
    return check_failed(u, err);
}

static int do_patch(struct upload *up, uint64_t offset, const void *bytes, size_t n, struct err *err)
{
    (void)err;
    memcpy(((struct s3_upload *)up)->first + offset, bytes, n);
    return 0;
}

/* ---- a file that grows --------------------------------------------------------------------------------------- */

/* Waits for the next part or the end. Its size; 0: there is no more. *more: the one after it is there, too. */
static uint64_t wait_for_part(struct s3_upload *u, bool *more)
{
    uint64_t size, there = 0;

    pthread_mutex_lock(&u->lock);
    size = s3_plan_part_size(&u->plan, (u->n == 0 ? u->held : u->n) + 1);
    while (!u->ended && !atomic_load(&u->cancel) && u->up.available < u->next_offset + size)
        pthread_cond_wait(&u->more, &u->lock);
    if (!atomic_load(&u->cancel) && u->up.available > u->next_offset)
        there = u->up.available - u->next_offset;
    pthread_mutex_unlock(&u->lock);
    *more = there >= 2 * size;
    return there < size ? there : size;
}

/* The file is whole, and what is left of it the held parts: they go when all others have arrived. */
static int hand_out_held(struct s3_upload *u, struct err *err)
{
    uint64_t offset = 0;

    if (u->n > 0 && s3_parts_wait(u->sending, err) < 0)
        return -1;
    for (unsigned i = 1; i <= u->held && u->n > 0; i++) {
        struct part *p = s3_parts_take(u->sending, 0, err);

        if (!p)
            return -1;
        p->number = i;
        p->offset = offset;
        p->size = s3_plan_part_size(&u->plan, i);
        offset += p->size;
        s3_parts_send(u->sending, p);
    }
    return 0;
}

static int hand_out(struct s3_upload *u, struct err *err)
{
    uint64_t size;
    bool more;

    while ((size = wait_for_part(u, &more)) > 0) {
        struct part *p;

        u->outgrown = (u->n == 0 ? u->held : u->n) >= u->plan.max_parts;
        if (u->outgrown)
            return 0;
        if (!(p = next_part(u, err)))
            return -1;
        p->size = size;
        if (add_part(u, p, more, err) < 0)
            return -1;
    }
    if (u->waiting_n > 0 && send_waiting(u, err) < 0)
        return -1;
    return atomic_load(&u->cancel) ? 0 : hand_out_held(u, err);
}

static void *follow(void *cookie)
{
    struct s3_upload *u = cookie;
    struct err err = { 0 };

    if (hand_out(u, &err) < 0)
        fail(u, &err);
    return NULL;
}

static int start_following(struct s3_upload *u, struct err *err)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the caller's */
    rc = pthread_create(&u->follower, NULL, follow, u);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    u->following = rc == 0;
    return rc == 0 ? 0 : err_set(err, ERR_INTERNAL, "no thread to be had for the upload");
}

static void stop_following(struct s3_upload *u)
{
    if (!u->following)
        return;
    pthread_mutex_lock(&u->lock);
    u->ended = true;
    pthread_cond_broadcast(&u->more);
    pthread_mutex_unlock(&u->lock);
    pthread_join(u->follower, NULL);
    u->following = false;
}

static int do_advance(struct upload *up, uint64_t size, bool whole, struct err *err)
{
    struct s3_upload *u = (struct s3_upload *)up;

    pthread_mutex_lock(&u->lock);
    if (size > up->available)
        up->available = size;
    u->ended |= whole;
    pthread_cond_broadcast(&u->more);
    pthread_mutex_unlock(&u->lock);
    return check_failed(u, err);
}

/* ---- the end ------------------------------------------------------------------------------------------------- */

static int put_whole(struct s3_upload *u, struct store_result *out, struct err *err)
{
    struct digest_sum sum;
    struct s3_body body;

    if (make_body(u, u->fd ? NULL : u->first, 0, u->size, &body, &sum, false, err) < 0)
        return -1;
    text_hex(u->expected, sum.md5, sizeof sum.md5);
    if (s3_put(u->s->s3, u->key, &body, out, err) < 0)
        return -1;
    note_progress(u, u->size);
    return 0;
}

/* Those in memory; of a file the follower has handed them out. */
static int send_held(struct s3_upload *u, struct err *err)
{
    uint64_t offset = 0;

    for (unsigned i = 1; i <= u->held && !u->fd; i++) {
        uint64_t size = s3_plan_part_size(&u->plan, i);
        struct part p = { .number = i, .bytes = u->first + offset, .size = size };

        if (send_part(u, &p, err) < 0)
            return -1;
        offset += size;
    }
    return 0;
}

static int complete(struct s3_upload *u, struct store_result *out, struct err *err)
{
    uint8_t(*md5s)[16] = calloc(u->n, 16);
    int rc = -1;

    if (!md5s)
        return err_no_memory(err);
    if (send_held(u, err) < 0)
        goto out;
    for (unsigned i = 0; i < u->n; i++)
        memcpy(md5s[i], u->parts[i].md5, 16);
    s3_etag_of_parts(u->expected, (const uint8_t(*)[16])md5s, u->n);
    rc = s3_complete_upload(u->s->s3, u->key, u->id, u->parts, u->n, u->expected, u->size, u->if_absent, out, err);
out:
    free(md5s);
    return rc;
}

/* Everything but the first part is on its way or there. */
static int wait_for_parts(struct s3_upload *u, struct err *err)
{
    struct part *last = u->current;

    stop_following(u);
    u->current = NULL;
    if (last && add_part(u, last, false, err) < 0)
        return -1;
    if (u->waiting_n > 0 && send_waiting(u, err) < 0)
        return -1;
    if (u->sending && s3_parts_wait(u->sending, err) < 0)
        return -1;
    return check_failed(u, err);
}

static void drop_parts(struct s3_upload *u)
{
    struct err given_up = { .class = ERR_UPLOAD, .message = "given up" };

    if (!u->sending)
        return;
    if (!u->done)
        s3_parts_stop(u->sending, &given_up);
    if (u->current)
        s3_parts_send(u->sending, u->current);
    while (u->waiting_n > 0)
        s3_parts_send(u->sending, u->waiting[--u->waiting_n]);
    s3_parts_free(u->sending);
    u->sending = NULL;
}

static void clean_up(struct s3_upload *u)
{
    struct s3_undo undo = {
        .key = u->key,
        .id = u->done ? "" : u->id,
        .twice = u->twice,
        .wrong = u->wrong,
        .unsure = u->unsure,
        .size = u->size,
        .etag = u->expected,
    };

    s3_undo(u->s, &undo);
}

static int send_rest(struct s3_upload *u, struct store_result *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    if (wait_for_parts(u, err) < 0)
        return -1;
    if (u->outgrown)
        return s3_plan_exceeded(&u->plan, u->key, true, err);
    return u->n == 0 ? put_whole(u, out, err) : complete(u, out, err);
}

/* Parts are planned by a guess. When it was far too low they have grown, which some servers (R2) refuse at the very end,
 * or were too few. But a file is still there, and now its size is known. */
static bool can_start_over(const struct s3_upload *u, const struct err *err)
{
    bool grown = u->n > 0 && s3_plan_part_size(&u->plan, u->n) != u->plan.part_size;

    return u->fd && (u->outgrown || (grown && strcmp(err->code, "InvalidPart") == 0));
}

static int start_over(struct s3_upload *u, struct err *err)
{
    char size[TEXT_SHORT];

    err_clear(err);
    log_warn("%s has become far larger than was expected: its %s are sent again, in parts of one size", u->key,
             text_size(size, u->size));
    drop_parts(u);
    clean_up(u);
    u->id[0] = '\0';
    u->n = 0;
    u->outgrown = false;
    s3_plan_make(u->size, u->plan.max_parts, u->s->parallel, 0, &u->plan);
    u->held = 1;
    u->up.first_size = u->next_offset = s3_plan_part_size(&u->plan, 1);
    return hand_out(u, err); /* to the end, which is known */
}

static int do_finish(struct upload *up, struct store_result *out, struct err *err)
{
    struct s3_upload *u = (struct s3_upload *)up;
    int rc;

    u->size = u->fd ? up->available : up->written;
    rc = send_rest(u, out, err);
    if (rc < 0 && can_start_over(u, err))
        rc = start_over(u, err) < 0 ? -1 : send_rest(u, out, err);
    if (rc < 0) {
        u->wrong = out->etag[0] != '\0'; /* must not be taken for a backup */
        u->unsure = out->unsure;
        return fail(u, err);
    }
    u->done = true;
    drop_parts(u); /* whoever reads it back may want to fork */
    return 0;
}

/* ---- cleaning up --------------------------------------------------------------------------------------------- */

static void do_free(struct upload *up)
{
    struct s3_upload *u = (struct s3_upload *)up;

    if (!u->done)
        atomic_store(&u->cancel, true);
    stop_following(u);
    drop_parts(u);
    clean_up(u);
    pthread_cond_destroy(&u->more);
    pthread_mutex_destroy(&u->lock);
    free(u->parts);
    free(u->first);
    free(u->content_type);
    free(u->key);
    free(u);
}

/* ---- what may still change ----------------------------------------------------------------------------------- */

/* Nothing has come yet: the follower waits, and nothing is in memory. */
static int do_hold(struct upload *up, uint64_t size, struct err *err)
{
    struct s3_upload *u = (struct s3_upload *)up;
    char *more;

    pthread_mutex_lock(&u->lock);
    while (up->first_size < size && u->held < u->plan.max_parts)
        up->first_size += s3_plan_part_size(&u->plan, ++u->held);
    u->next_offset = up->first_size;
    pthread_mutex_unlock(&u->lock);
    if (u->fd)
        return 0;
    more = realloc(u->first, up->first_size);
    if (!more)
        return err_no_memory(err);
    u->first = more;
    return 0;
}

/* ---- the beginning ------------------------------------------------------------------------------------------- */

static const struct upload_ops upload_ops = {
    .write = do_write,
    .patch = do_patch,
    .hold = do_hold,
    .advance = do_advance,
    .finish = do_finish,
    .free = do_free,
};

struct upload *s3_upload_begin(struct store_s3 *s, const char *key, const struct upload_params *p, struct err *err)
{
    struct s3_upload *u = calloc(1, sizeof *u);

    if (!u) {
        err_no_memory(err);
        return NULL;
    }
    u->up.ops = &upload_ops;
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->more, NULL);
    u->s = s;
    u->memory = s->memory / (p->share > 1 ? p->share : 1);
    u->fd = p->fd;
    u->if_absent = p->if_absent;
    u->progress = p->progress;
    u->progress_cookie = p->progress_cookie;
    s3_plan_make(p->expected_size, s->max_parts, s->parallel, u->fd ? 0 : u->memory, &u->plan);
    u->held = 1;
    u->up.first_size = u->next_offset = s3_plan_part_size(&u->plan, 1);
    u->key = strdup(key);
    u->content_type = p->content_type ? strdup(p->content_type) : NULL;
    u->first = u->fd ? NULL : malloc(u->up.first_size);
    if (!u->key || (p->content_type && !u->content_type) || (!u->fd && !u->first)) {
        err_no_memory(err);
        goto fail;
    }
    if (!u->fd && s3_plan_check(&u->plan, u->memory, p->share > 1, p->expected_size, err) < 0)
        goto fail;
    if (u->fd && start_following(u, err) < 0)
        goto fail;
    return &u->up;
fail:
    do_free(&u->up);
    return NULL;
}
