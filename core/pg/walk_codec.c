/* SPDX-License-Identifier: PostgreSQL */
/* walk_codec.c - streaming decompression of every method that an archive may have. Only what is needed at a time is in
 * memory, so data that claims to become huge costs time, not memory. */
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_getFrameHeader */
#include <zstd.h>
#include "core/pg/walk_stream.h"

#define OUT_SIZE (256 * 1024)
#define ORDINARY_WINDOW (8u * 1024 * 1024) /* zstd up to level 19; up to 128 MiB are possible */

struct walk_codec {
    enum archive_method method;
    pthread_mutex_t *big;
    bool holds_big;
    z_stream gzip;
    bool gzip_ready;
    ZSTD_DCtx *zstd;
    LZ4F_dctx *lz4;
    bool begun; /* anything has come */
    bool ended; /* the compressed data has ended: the last of it, as far as we know */
    char *out;
};

struct walk_codec *walk_codec_new(enum archive_method method, pthread_mutex_t *big, struct err *err)
{
    struct walk_codec *c = calloc(1, sizeof *c);

    if (c == NULL) {
        err_no_memory(err);
        return NULL;
    }
    c->method = method;
    c->big = big;
    c->out = malloc(OUT_SIZE);
    if (c->out == NULL) {
        err_no_memory(err);
        walk_codec_free(c);
        return NULL;
    }
    return c;
}

void walk_codec_free(struct walk_codec *c)
{
    if (c == NULL)
        return;
    if (c->gzip_ready)
        inflateEnd(&c->gzip);
    ZSTD_freeDCtx(c->zstd);
    LZ4F_freeDecompressionContext(c->lz4);
    free(c->out);
    free(c);
}

static bool ready(struct walk_codec *c)
{
    switch (c->method) {
    case ARCHIVE_NONE:
        return true;
    case ARCHIVE_GZIP:
        if (c->gzip_ready)
            return inflateReset(&c->gzip) == Z_OK;
        c->gzip_ready = inflateInit(&c->gzip) == Z_OK;
        return c->gzip_ready;
    case ARCHIVE_ZSTD:
        if (c->zstd == NULL)
            c->zstd = ZSTD_createDCtx();
        return c->zstd != NULL && !ZSTD_isError(ZSTD_DCtx_reset(c->zstd, ZSTD_reset_session_only));
    case ARCHIVE_LZ4:
        if (c->lz4 == NULL)
            return !LZ4F_isError(LZ4F_createDecompressionContext(&c->lz4, LZ4F_VERSION));
        LZ4F_resetDecompressionContext(c->lz4);
        return true;
    }
    return false;
}

int walk_codec_begin(struct walk_codec *c, struct err *err)
{
    c->begun = c->ended = false;
    return ready(c) ? 0 : err_no_memory(err);
}

static int deliver(struct walk_codec *c, size_t n, const struct walk_target *to, struct err *err)
{
    return n == 0 ? 0 : to->data(to->cookie, to->object, c->out, n, err);
}

static int feed_gzip(struct walk_codec *c, const void *bytes, size_t n, const struct walk_target *to, const char **what,
                     struct err *err)
{
    c->gzip.next_in = (Bytef *)(uintptr_t)bytes;
    c->gzip.avail_in = (uInt)n;
    do {
        c->gzip.next_out = (Bytef *)c->out;
        c->gzip.avail_out = OUT_SIZE;
        int rc = inflate(&c->gzip, Z_NO_FLUSH);
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
            *what = c->gzip.msg != NULL ? c->gzip.msg : "no zlib stream";
            return -1;
        }
        if (deliver(c, OUT_SIZE - c->gzip.avail_out, to, err) < 0)
            return -1;
        c->ended = rc == Z_STREAM_END;
    } while (!c->ended && (c->gzip.avail_in > 0 || c->gzip.avail_out == 0));
    if (c->gzip.avail_in > 0) {
        *what = "something follows the end of the compressed data";
        return -1;
    }
    return 0;
}

/* The window a frame needs is allocated when its header has been seen; only one stream may have an unusual one. */
static void note_window(struct walk_codec *c, const void *bytes, size_t n)
{
    ZSTD_frameHeader header;

    if (c->big == NULL || c->holds_big)
        return;
    if (ZSTD_getFrameHeader(&header, bytes, n) == 0 && header.windowSize <= ORDINARY_WINDOW)
        return;
    pthread_mutex_lock(c->big);
    c->holds_big = true;
}

static int feed_zstd(struct walk_codec *c, const void *bytes, size_t n, bool chunk_ends, const struct walk_target *to,
                     const char **what, struct err *err)
{
    ZSTD_inBuffer in = { bytes, n, 0 };
    size_t rc;

    if (!c->begun || c->ended)
        note_window(c, bytes, n);
    do {
        ZSTD_outBuffer out = { c->out, OUT_SIZE, 0 };

        rc = ZSTD_decompressStream(c->zstd, &out, &in);
        if (ZSTD_isError(rc)) {
            *what = ZSTD_getErrorName(rc);
            return -1;
        }
        if (deliver(c, out.pos, to, err) < 0)
            return -1;
        c->ended = rc == 0;
        if (rc == 0 && (in.pos < n || !chunk_ends)) { /* pg_restore would leave out the rest of the chunk */
            *what = "a frame ends in the middle of a chunk";
            return -1;
        }
        if (out.pos < OUT_SIZE && in.pos == n)
            break;
    } while (rc != 0);
    return 0;
}

static int feed_lz4(struct walk_codec *c, const void *bytes, size_t n, const struct walk_target *to, const char **what,
                    struct err *err)
{
    const char *from = bytes;
    size_t out_n;

    do {
        size_t in_n = n;

        out_n = OUT_SIZE;
        size_t rc = LZ4F_decompress(c->lz4, c->out, &out_n, from, &in_n, NULL);
        if (LZ4F_isError(rc) || (in_n == 0 && out_n == 0 && n > 0)) {
            *what = LZ4F_isError(rc) ? LZ4F_getErrorName(rc) : "no lz4 frame";
            return -1;
        }
        from += in_n;
        n -= in_n;
        if (deliver(c, out_n, to, err) < 0)
            return -1;
        c->ended = rc == 0;
    } while (n > 0 || (out_n == OUT_SIZE && !c->ended));
    return 0;
}

int walk_codec_feed(struct walk_codec *c, const void *bytes, size_t n, bool chunk_ends, const struct walk_target *to,
                    const char **what, struct err *err)
{
    int rc = -1;

    if (c->method == ARCHIVE_GZIP && c->ended)
        *what = "something follows the end of the compressed data";
    else if (c->method == ARCHIVE_GZIP)
        rc = feed_gzip(c, bytes, n, to, what, err);
    else if (c->method == ARCHIVE_ZSTD)
        rc = feed_zstd(c, bytes, n, chunk_ends, to, what, err);
    else if (c->method == ARCHIVE_LZ4)
        rc = feed_lz4(c, bytes, n, to, what, err);
    else
        rc = to->data(to->cookie, to->object, bytes, n, err);
    c->begun = true;
    return rc;
}

int walk_codec_end(struct walk_codec *c, const char **what)
{
    if (c->holds_big) {
        ZSTD_freeDCtx(c->zstd); /* with its window */
        c->zstd = NULL;
        pthread_mutex_unlock(c->big);
        c->holds_big = false;
    }
    if (c->method == ARCHIVE_NONE || c->ended)
        return 0;
    if (!c->begun && c->method != ARCHIVE_GZIP)
        return 0; /* pg_restore reads nothing out of nothing, only zlib wants its frame */
    *what = "the compressed data is not whole";
    return -1;
}
