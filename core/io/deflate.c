/* SPDX-License-Identifier: PostgreSQL */
#include "core/io/deflate.h"

#include <libdeflate.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "core/io/pool.h"

/* What the contract's levels, zlib's that is, are here. libdeflate's 5, with a shallower search by vendor's patch, makes
 * COPY text smaller than zlib's 6 does, in a quarter of the time; its own 6 takes half as long again and gains 3 %. */
struct deflater *deflater_new(int level)
{
    static const int ours[] = { 0, 1, 1, 2, 3, 4, 5, 6, 7, 9 };
    int n = (int)(sizeof ours / sizeof *ours);

    return (struct deflater *)libdeflate_alloc_compressor(ours[level < 0 ? 0 : level < n ? level : n - 1]);
}

void deflater_free(struct deflater *d)
{
    if (d != NULL)
        libdeflate_free_compressor((struct libdeflate_compressor *)d);
}

size_t deflater_bound(size_t n)
{
    return libdeflate_deflate_compress_bound(NULL, n) + LIBDEFLATE_SEGMENT_OVERHEAD;
}

size_t deflater_segment(struct deflater *d, const void *in, size_t n, int last, void *out)
{
    struct libdeflate_compressor *c = (struct libdeflate_compressor *)d;

    return last ? libdeflate_deflate_compress(c, in, n, out, deflater_bound(n))
                : libdeflate_deflate_compress_segment(c, in, n, out, deflater_bound(n));
}

uint32_t deflate_adler32(const void *bytes, size_t n)
{
    return libdeflate_adler32(1, bytes, n);
}

uint32_t deflate_crc32(const void *bytes, size_t n)
{
    return libdeflate_crc32(0, bytes, n);
}

uint32_t deflate_adler32_join(uint32_t first, uint32_t second, uint64_t second_n)
{
    return (uint32_t)adler32_combine(first, second, (z_off_t)second_n);
}

uint32_t deflate_crc32_join(uint32_t first, uint32_t second, uint64_t second_n)
{
    return (uint32_t)crc32_combine(first, second, (z_off_t)second_n);
}

void deflate_zlib_header(int level, uint8_t out[2])
{
    unsigned strength = level <= 1 ? 0 : level <= 5 ? 1 : level == 6 ? 2 : 3;
    unsigned header = 0x7800 | strength << 6; /* deflate, window of 32 KiB */

    header += 31 - header % 31;
    out[0] = (uint8_t)(header >> 8);
    out[1] = (uint8_t)header;
}

/* ---- a .gz file ---------------------------------------------------------------------------------------------- */

struct gzip_job {
    char *in;
    uint8_t *out;
    size_t in_n, out_n;
    uint32_t crc;
    bool last;
};

struct gzip_writer {
    int level;
    gzip_sink *sink;
    void *cookie;
    struct pool *pool;
    struct gzip_job *job; /* being filled */
    bool begun;
    uint32_t crc;
    uint64_t bytes;
};

static int gzip_job_init(void *p, void *cookie)
{
    struct gzip_job *job = p;

    (void)cookie;
    job->in = malloc(DEFLATE_SEGMENT);
    job->out = malloc(deflater_bound(DEFLATE_SEGMENT));
    return job->in == NULL || job->out == NULL ? -1 : 0;
}

static void gzip_job_release(void *p, void *cookie)
{
    struct gzip_job *job = p;

    (void)cookie;
    free(job->in);
    free(job->out);
}

static void *gzip_worker_new(void *cookie)
{
    return deflater_new(((struct gzip_writer *)cookie)->level);
}

static void gzip_worker_free(void *worker)
{
    deflater_free(worker);
}

static int gzip_work(void *p, void *worker, void *cookie, struct err *err)
{
    struct gzip_job *job = p;

    (void)cookie;
    job->crc = deflate_crc32(job->in, job->in_n);
    job->out_n = deflater_segment(worker, job->in, job->in_n, job->last, job->out);
    return job->out_n > 0 ? 0 : err_set(err, ERR_INTERNAL, "a segment grew while it was compressed");
}

static int gzip_begin(struct gzip_writer *w, struct err *err)
{
    static const uint8_t header[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 }; /* no name, no time, Unix */

    w->begun = true;
    return w->sink(w->cookie, header, sizeof header, err);
}

static int gzip_done(void *p, void *cookie, struct err *err)
{
    struct gzip_job *job = p;
    struct gzip_writer *w = cookie;

    if (!w->begun && gzip_begin(w, err) < 0)
        return -1;
    if (w->sink(w->cookie, job->out, job->out_n, err) < 0)
        return -1;
    w->crc = deflate_crc32_join(w->crc, job->crc, job->in_n);
    w->bytes += job->in_n;
    if (job->last) {
        uint8_t end[8];

        for (int i = 0; i < 4; i++) {
            end[i] = (uint8_t)(w->crc >> 8 * i);
            end[4 + i] = (uint8_t)(w->bytes >> 8 * i); /* modulo 2^32, says RFC 1952 */
        }
        return w->sink(w->cookie, end, sizeof end, err);
    }
    return 0;
}

struct gzip_writer *gzip_writer_new(int level, unsigned jobs, gzip_sink *sink, void *cookie, struct err *err)
{
    static const struct pool_ops ops = {
        .job_size = sizeof(struct gzip_job),
        .job_init = gzip_job_init,
        .job_release = gzip_job_release,
        .worker_new = gzip_worker_new,
        .worker_free = gzip_worker_free,
        .work = gzip_work,
        .done = gzip_done,
    };
    struct gzip_writer *w = calloc(1, sizeof *w);

    if (w == NULL) {
        err_no_memory(err);
        return NULL;
    }
    w->level = level;
    w->sink = sink;
    w->cookie = cookie;
    w->pool = pool_new(&ops, w, jobs, 4, err);
    if (w->pool == NULL) {
        gzip_writer_free(w);
        return NULL;
    }
    return w;
}

/* A job to fill, which may take a wait. -1: some job failed, and pool_finish says how. */
static int gzip_job_ready(struct gzip_writer *w, struct err *err)
{
    if (w->job != NULL)
        return 0;
    w->job = pool_next(w->pool);
    if (w->job == NULL) {
        pool_finish(w->pool, err);
        return -1;
    }
    w->job->in_n = 0;
    w->job->last = false;
    return 0;
}

static void gzip_submit(struct gzip_writer *w, bool last)
{
    w->job->last = last;
    pool_submit(w->pool, w->job);
    w->job = NULL;
}

int gzip_writer_put(struct gzip_writer *w, const void *bytes, size_t n, struct err *err)
{
    const char *from = bytes;

    while (n > 0) {
        if (w->job != NULL && w->job->in_n == DEFLATE_SEGMENT)
            gzip_submit(w, false);
        if (gzip_job_ready(w, err) < 0)
            return -1;
        size_t room = DEFLATE_SEGMENT - w->job->in_n;
        size_t part = n < room ? n : room;

        memcpy(w->job->in + w->job->in_n, from, part);
        w->job->in_n += part;
        from += part;
        n -= part;
    }
    return 0;
}

int gzip_writer_finish(struct gzip_writer *w, struct err *err)
{
    if (gzip_job_ready(w, err) < 0)
        return -1;
    gzip_submit(w, true);
    return pool_finish(w->pool, err);
}

void gzip_writer_free(struct gzip_writer *w)
{
    if (w == NULL)
        return;
    pool_free(w->pool);
    free(w);
}
