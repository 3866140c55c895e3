/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/transcode_job.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#define ZSTD_STATIC_LINKING_ONLY /* for the estimate */
#include <zstd.h>
#include "core/base/os.h"

#define FRAMING 160                         /* what a small piece takes beyond its text, at most */
#define COMPRESSORS_MAX (96u * 1024 * 1024) /* memory of all workers' compressors */

/* ---- memory -------------------------------------------------------------------------------------------------- */

static size_t out_size(const struct transcoder *t)
{
    size_t bound = t->method == ARCHIVE_GZIP ? deflater_bound(JOB_TEXT)
                 : t->method == ARCHIVE_ZSTD ? ZSTD_compressBound(JOB_TEXT)
                                             : JOB_TEXT;
    return bound + (size_t)JOB_PIECES * FRAMING;
}

static int job_init(void *p, void *cookie)
{
    struct job *job = p;

    job->in = malloc(JOB_TEXT + JOB_SLACK);
    job->out = malloc(out_size(cookie));
    return job->in == NULL || job->out == NULL ? -1 : 0;
}

static void job_release(void *p, void *cookie)
{
    struct job *job = p;

    (void)cookie;
    free(job->in);
    free(job->out);
}

struct worker {
    struct deflater *deflater;
    ZSTD_CCtx *zstd;
};

static void worker_free(void *p)
{
    struct worker *w = p;

    deflater_free(w->deflater);
    ZSTD_freeCCtx(w->zstd);
    free(w);
}

static void *worker_new(void *cookie)
{
    const struct transcoder *t = cookie;
    struct worker *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    if (t->method == ARCHIVE_GZIP)
        w->deflater = deflater_new(t->level);
    if (t->method == ARCHIVE_ZSTD) {
        w->zstd = ZSTD_createCCtx();
        if (w->zstd != NULL) {
            ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, t->level);
            ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
        }
    }
    if (t->method == ARCHIVE_NONE || w->deflater != NULL || w->zstd != NULL)
        return w;
    worker_free(w);
    return NULL;
}

unsigned transcode_threads(const struct transcoder *t)
{
    unsigned threads = t->params->jobs > 0 ? t->params->jobs : os_cpus();

    if (t->method == ARCHIVE_ZSTD) {
        size_t each = ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams(t->level, JOB_TEXT, 0));
        unsigned most = each > 0 && each < COMPRESSORS_MAX / 2 ? (unsigned)(COMPRESSORS_MAX / each) : 2;

        if (threads > most)
            threads = most;
    }
    return threads;
}

/* ---- on any thread: from text to archive --------------------------------------------------------------------- */

static uint8_t *put_int(const struct transcoder *t, uint8_t *out, int64_t value)
{
    return out + archive_put_int(&t->result->toc, value, out);
}

static void store_be32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static size_t put_zlib(const struct transcoder *t, struct worker *w, struct job *job, struct piece *p, uint8_t *out)
{
    uint8_t *start = out;

    if (p->stream_begin) {
        deflate_zlib_header(t->level, out);
        out += 2;
    }
    out += deflater_segment(w->deflater, job->in + p->in_at, p->in_n, p->stream_end, out);
    p->adler = deflate_adler32(job->in + p->in_at, p->in_n);
    if (p->stream_end) {
        store_be32(out, p->adler);
        p->adler_at = p->stream_begin ? 0 : (size_t)(out - job->out);
        out += 4;
    }
    return (size_t)(out - start);
}

static size_t put_zstd(struct worker *w, const struct job *job, const struct piece *p, uint8_t *out)
{
    size_t n = ZSTD_compress2(w->zstd, out, ZSTD_compressBound(p->in_n), job->in + p->in_at, p->in_n);

    return ZSTD_isError(n) ? 0 : n;
}

/* A segment as one chunk. Returns where the output ends, NULL when a compressor failed. */
static uint8_t *put_chunk(const struct transcoder *t, struct worker *w, struct job *job, struct piece *p, uint8_t *out)
{
    uint8_t *text = out + t->result->toc.int_size + 1;
    size_t n = p->in_n;

    if (t->method == ARCHIVE_GZIP)
        n = put_zlib(t, w, job, p, text);
    else if (t->method == ARCHIVE_ZSTD)
        n = put_zstd(w, job, p, text);
    else if (n == 0)
        return out; /* a chunk of no bytes would end the stream */
    else
        memcpy(text, job->in + p->in_at, n);
    if (n == 0)
        return NULL;
    put_int(t, out, (int64_t)n);
    return text + n;
}

static void tally_one(const struct job *job, struct piece *p)
{
    const char *text = job->in + p->in_at;

    if (p->type == BLOCK_OBJECTS) {
        memset(&p->object_tally, 0, sizeof p->object_tally);
        if (p->stream_begin && p->stream_end)
            tally_object(&p->object_tally, p->object, text, p->in_n);
    } else if (archive_is_copy(p->entry)) {
        tally_piece(&p->tally, text, p->in_n);
    }
}

static int work(void *cookie_job, void *worker, void *cookie, struct err *err)
{
    struct transcoder *t = cookie;
    struct job *job = cookie_job;
    uint8_t *out = job->out;

    for (size_t i = 0; i < job->pieces_n; i++) {
        struct piece *p = &job->pieces[i];

        p->out_at = (size_t)(out - job->out);
        p->adler_at = 0;
        if (p->block_begin) {
            *out++ = (uint8_t)p->type;
            out = put_int(t, out, p->entry->id);
        }
        if (p->stream && p->stream_begin && p->type == BLOCK_OBJECTS)
            out = put_int(t, out, (int32_t)p->object);
        if (p->stream) {
            tally_one(job, p);
            out = put_chunk(t, worker, job, p, out);
            if (out == NULL)
                return err_set(err, ERR_INTERNAL, "can't compress %zu bytes", p->in_n);
        }
        if (p->stream && p->stream_end)
            out = put_int(t, out, 0);
        if (p->block_end && p->type == BLOCK_OBJECTS)
            out = put_int(t, out, 0);
        p->out_n = (size_t)(out - job->out) - p->out_at;
    }
    job->out_n = (size_t)(out - job->out);
    return 0;
}

/* ---- in order ------------------------------------------------------------------------------------------------ */

static int begin_block(struct transcoder *t, const struct piece *p, struct err *err)
{
    t->block = archive_blocks_add(&t->result->blocks, err);
    if (t->block == NULL)
        return -1;
    t->block->entry = p->entry;
    t->block->type = p->type;
    t->block->counted = p->type == BLOCK_OBJECTS || archive_is_copy(p->entry);
    t->block->offset = t->written + p->out_at;
    return 0;
}

static void end_block(struct transcoder *t, const struct piece *p)
{
    bool table = t->block->type == BLOCK_DATA;

    t->block->stored = t->written + p->out_at + p->out_n - t->block->offset;
    tally_add(table ? &t->result->tables : &t->result->objects, &t->block->tally);
}

static void join_objects(struct transcoder *t, const struct job *job, const struct piece *p)
{
    if (p->stream_begin && p->stream_end) {
        tally_add(&t->block->tally, &p->object_tally);
        return;
    }
    if (p->stream_begin)
        tally_stream_object_begin(t->stream, p->object);
    tally_stream_object_data(t->stream, &t->block->tally, job->in + p->in_at, p->in_n);
    if (p->stream_end)
        tally_stream_object_end(t->stream, &t->block->tally);
}

static int join_rows(struct transcoder *t, const struct job *job, const struct piece *p, struct err *err)
{
    char name[160];

    if (!t->block->counted) {
        t->block->tally.bytes += p->in_n;
        return 0;
    }
    tally_stream_join(t->stream, &t->block->tally, &p->tally, job->in + p->in_at, p->in_n);
    if (p->stream_end && !tally_stream_end_copy(t->stream, &t->block->tally))
        return err_set(err, ERR_DUMP, "%s ends without the mark that ends COPY text",
                       archive_entry_name(p->entry, name, sizeof name));
    return 0;
}

static void join_adler(struct transcoder *t, struct job *job, const struct piece *p)
{
    t->adler = p->stream_begin ? p->adler : deflate_adler32_join(t->adler, p->adler, p->in_n);
    if (p->adler_at > 0)
        store_be32(job->out + p->adler_at, t->adler);
}

static int done(void *cookie_job, void *cookie, struct err *err)
{
    struct transcoder *t = cookie;
    struct job *job = cookie_job;

    for (size_t i = 0; i < job->pieces_n; i++) {
        const struct piece *p = &job->pieces[i];

        if (p->block_begin && begin_block(t, p, err) < 0)
            return -1;
        if (p->stream && t->method == ARCHIVE_GZIP)
            join_adler(t, job, p);
        if (p->stream && p->type == BLOCK_OBJECTS)
            join_objects(t, job, p);
        else if (p->stream && join_rows(t, job, p, err) < 0)
            return -1;
        if (p->block_end)
            end_block(t, p);
    }
    if (job->out_n > 0 && t->params->sink.write(t->params->sink.cookie, job->out, job->out_n, err) < 0)
        return -1;
    t->written += job->out_n;
    return 0;
}

const struct pool_ops transcode_ops = {
    .job_size = sizeof(struct job),
    .job_init = job_init,
    .job_release = job_release,
    .worker_new = worker_new,
    .worker_free = worker_free,
    .work = work,
    .done = done,
};
