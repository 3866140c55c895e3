/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/walk_job.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define FAR_READ (256 * 1024)
#define PAST 64 /* bytes that are written behind a chunk */

/* ---- memory -------------------------------------------------------------------------------------------------- */

static int job_init(void *p, void *cookie)
{
    struct walk_job *job = p;

    (void)cookie;
    job->in = malloc(WALK_CHUNK + PAST);
    job->out = malloc(WALK_TEXT);
    return job->in == NULL || job->out == NULL ? -1 : 0;
}

static void job_release(void *p, void *cookie)
{
    struct walk_job *job = p;

    (void)cookie;
    free(job->in);
    free(job->out);
}

struct worker {
    struct libdeflate_decompressor *deflate;
    ZSTD_DCtx *zstd;
    struct tally_stream *tally;
    struct walk_stream far;
};

static void worker_free(void *p)
{
    struct worker *w = p;

    libdeflate_free_decompressor(w->deflate);
    ZSTD_freeDCtx(w->zstd);
    tally_stream_free(w->tally);
    walk_stream_close(&w->far);
    free(w);
}

static void *worker_new(void *cookie)
{
    struct walker *t = cookie;
    struct worker *w = calloc(1, sizeof *w);
    struct err err;

    if (w == NULL)
        return NULL;
    err_clear(&err);
    w->deflate = libdeflate_alloc_decompressor();
    w->zstd = ZSTD_createDCtx();
    w->tally = tally_stream_new();
    if (w->deflate != NULL && w->zstd != NULL && w->tally != NULL &&
        walk_stream_open(&w->far, &t->params->file, &t->result->toc, FAR_READ, &t->big, &err) == 0)
        return w;
    worker_free(w);
    return NULL;
}

/* ---- on any thread ------------------------------------------------------------------------------------------- */

static uint32_t load_be32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* One of the chunks of a zlib stream, if it is one of ours: the stream's header only in the first, a final block and
 * the checksum only in the last. A chunk that is not the last gets a final block to end at, and must end just there:
 * then it would have been decompressed to the same after the chunks before it. The text may not leave the chunk. */
static bool inflate_part(struct worker *w, struct walk_job *job, struct walk_piece *p)
{
    uint8_t *from = (uint8_t *)job->in + p->in_at;
    size_t n = p->in_n, used;

    if (p->begin) {
        if (n < 2 || (from[0] & 0x0f) != 8 || from[0] >> 4 > 7 || (from[0] << 8 | from[1]) % 31 != 0 || from[1] & 0x20)
            return false;
        from += 2;
        n -= 2;
    }
    if (p->end) {
        if (n < 4)
            return false;
        n -= 4;
        p->adler_expected = load_be32(from + n);
    } else {
        from[n++] = 3;
        from[n++] = 0;
    }
    if (libdeflate_deflate_decompress_ex(w->deflate, from, n, job->out, WALK_TEXT, &used, &p->text_n) !=
            LIBDEFLATE_SUCCESS ||
        used != n)
        return false;
    p->text = job->out;
    p->adler = deflate_adler32(job->out, p->text_n);
    return true;
}

static bool decompress(struct walker *t, struct worker *w, struct walk_job *job, struct walk_piece *p)
{
    switch (t->result->toc.method) {
    case ARCHIVE_NONE:
        p->text = job->in + p->in_at;
        p->text_n = p->in_n;
        return true;
    case ARCHIVE_GZIP:
        return inflate_part(w, job, p);
    case ARCHIVE_ZSTD:
        if (ZSTD_findFrameCompressedSize(job->in + p->in_at, p->in_n) != p->in_n)
            return false;
        p->text_n = ZSTD_decompressDCtx(w->zstd, job->out, WALK_TEXT, job->in + p->in_at, p->in_n);
        p->text = job->out;
        return !ZSTD_isError(p->text_n);
    case ARCHIVE_LZ4:
        break;
    }
    return false;
}

/* The tally of a stream whose text is all there. */
static bool tally_whole(struct worker *w, struct walk_piece *p)
{
    memset(&p->whole, 0, sizeof p->whole);
    if (p->block->type == BLOCK_OBJECTS) {
        tally_object(&p->whole, p->object, p->text, p->text_n);
        return true;
    }
    if (!p->block->counted) {
        p->whole.bytes = p->text_n;
        return true;
    }
    tally_stream_text(w->tally, &p->whole, p->text, p->text_n);
    return tally_stream_end_copy(w->tally, &p->whole);
}

/* Where a stream's text goes that comes from afar. */
struct far {
    struct worker *worker;
    struct walk_piece *piece;
};

static int far_text(void *cookie, uint32_t object, const void *bytes, size_t n, struct err *err)
{
    struct far *f = cookie;

    (void)object;
    (void)err;
    if (f->piece->block->type == BLOCK_OBJECTS)
        tally_stream_object_data(f->worker->tally, &f->piece->whole, bytes, n);
    else if (f->piece->block->counted)
        tally_stream_text(f->worker->tally, &f->piece->whole, bytes, n);
    else
        f->piece->whole.bytes += n;
    return 0;
}

static int from_afar(struct worker *w, struct walk_piece *p, struct err *err)
{
    struct far f = { w, p };
    char name[160];

    memset(&p->whole, 0, sizeof p->whole);
    if (p->block->type == BLOCK_OBJECTS)
        tally_stream_object_begin(w->tally, p->object);
    walk_stream_seek(&w->far, p->offset, 0);
    if (walk_stream_data(&w->far, p->block->entry, p->object, far_text, &f, err) < 0)
        return -1;
    if (p->block->type == BLOCK_OBJECTS)
        tally_stream_object_end(w->tally, &p->whole);
    else if (p->block->counted && !tally_stream_end_copy(w->tally, &p->whole))
        return err_set(err, ERR_DAMAGED, "offset %llu: %s ends without the mark that ends COPY text",
                       (unsigned long long)archive_in_tell(&w->far.in),
                       archive_entry_name(p->block->entry, name, sizeof name));
    return 0;
}

static int work(void *cookie_job, void *worker, void *cookie, struct err *err)
{
    struct walk_job *job = cookie_job;

    for (size_t i = 0; i < job->pieces_n; i++) {
        struct walk_piece *p = &job->pieces[i];

        if (p->way == WALK_FAR) {
            if (from_afar(worker, p, err) < 0)
                return -1;
        } else if (p->wrong || !decompress(cookie, worker, job, p)) {
            p->wrong = true;
        } else if (p->way == WALK_WHOLE) {
            p->wrong = (((struct walker *)cookie)->result->toc.method == ARCHIVE_GZIP &&
                        p->adler != p->adler_expected) ||
                       !tally_whole(worker, p);
        } else if (p->block->counted && p->block->type == BLOCK_DATA) {
            tally_piece(&p->piece, p->text, p->text_n);
        }
    }
    return 0;
}

/* ---- in order ------------------------------------------------------------------------------------------------ */

static int note_again(struct walker *t, const struct walk_piece *p, struct err *err)
{
    if (t->again_n == t->again_capacity) {
        size_t capacity = t->again_capacity == 0 ? 64 : t->again_capacity * 2;
        struct walk_again *again = realloc(t->again, capacity * sizeof *again);

        if (again == NULL)
            return err_no_memory(err);
        t->again = again;
        t->again_capacity = capacity;
    }
    t->again[t->again_n++] = (struct walk_again){ p->block, p->object, p->offset };
    return 0;
}

static void join_part(struct walker *t, const struct walk_piece *p)
{
    bool object = p->block->type == BLOCK_OBJECTS;

    if (p->begin && object)
        tally_stream_object_begin(t->stream, p->object);
    if (object)
        tally_stream_object_data(t->stream, &t->tally, p->text, p->text_n);
    else if (p->block->counted)
        tally_stream_join(t->stream, &t->tally, &p->piece, p->text, p->text_n);
    else
        t->tally.bytes += p->text_n;
    t->adler = p->begin ? p->adler : deflate_adler32_join(t->adler, p->adler, p->text_n);
}

static bool part_ends_well(struct walker *t, const struct walk_piece *p)
{
    if (t->result->toc.method == ARCHIVE_GZIP && t->adler != p->adler_expected)
        return false;
    if (p->block->type == BLOCK_OBJECTS)
        tally_stream_object_end(t->stream, &t->tally);
    else if (p->block->counted)
        return tally_stream_end_copy(t->stream, &t->tally);
    return true;
}

static int done_part(struct walker *t, const struct walk_piece *p, struct err *err)
{
    if (p->begin) {
        t->skip = false;
        memset(&t->tally, 0, sizeof t->tally);
    }
    if (p->wrong)
        t->skip = true;
    if (!t->skip)
        join_part(t, p);
    if (!p->end)
        return 0;
    if (!t->skip && part_ends_well(t, p)) {
        tally_add(&p->block->tally, &t->tally);
        return 0;
    }
    struct tally nothing = { 0 };
    tally_stream_end_copy(t->stream, &nothing); /* ready for another one */
    return note_again(t, p, err);
}

static int done(void *cookie_job, void *cookie, struct err *err)
{
    struct walk_job *job = cookie_job;

    for (size_t i = 0; i < job->pieces_n; i++) {
        struct walk_piece *p = &job->pieces[i];
        int rc = 0;

        if (p->way == WALK_PART)
            rc = done_part(cookie, p, err);
        else if (p->wrong)
            rc = note_again(cookie, p, err);
        else
            tally_add(&p->block->tally, &p->whole);
        if (rc < 0)
            return -1;
    }
    return 0;
}

const struct pool_ops walk_ops = {
    .job_size = sizeof(struct walk_job),
    .job_init = job_init,
    .job_release = job_release,
    .worker_new = worker_new,
    .worker_free = worker_free,
    .work = work,
    .done = done,
};
