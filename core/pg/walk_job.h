/* SPDX-License-Identifier: PostgreSQL */
/* walk_job.h - what the walk's scanner (walk.c) hands to its workers (walk_job.c).
 *
 * A stream goes one of three ways. WHOLE: it is a single chunk, decompressed at once; many share a job. PART: one of
 * its chunks, if each chunk can be decompressed without the others, as in archives of ours. FAR: only where it starts
 * is known; the worker reads and decompresses it piece by piece. The first two are guesses: where one proves wrong
 * (the data is damaged, not cut as we cut, or larger than a segment of ours) the stream is noted down and goes the far
 * way after the others, which tells exactly what is wrong or finds that nothing is.
 */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/io/deflate.h"
#include "core/io/pool.h"
#include "core/pg/walk.h"
#include "core/pg/walk_stream.h"

#define WALK_TEXT DEFLATE_SEGMENT                      /* the most text that is decompressed at once */
#define WALK_CHUNK (WALK_TEXT + WALK_TEXT / 16 + 1024) /* the largest chunk that is worth looking at as a whole */
#define WALK_PIECES 256

enum walk_way { WALK_WHOLE, WALK_PART, WALK_FAR };

struct walk_piece {
    enum walk_way way;
    struct archive_block *block;
    uint32_t object;
    bool begin, end; /* of the stream */
    bool wrong;      /* the guess */
    uint64_t offset; /* WALK_FAR, and for going that way later: where the stream starts, its first chunk's length */
    size_t in_at, in_n;
    const char *text; /* what a PART became: in the job's memory until it is done */
    size_t text_n;
    uint32_t adler, adler_expected;
    struct tally whole;       /* WHOLE and FAR */
    struct tally_piece piece; /* PART */
};

struct walk_job {
    char *in, *out;
    size_t in_n;
    size_t pieces_n;
    struct walk_piece pieces[WALK_PIECES];
};

/* A stream that has to be looked at again. */
struct walk_again {
    struct archive_block *block;
    uint32_t object;
    uint64_t offset;
};

struct walker {
    const struct walk_params *params;
    struct walk_result *result;
    struct pool *pool;
    pthread_mutex_t big; /* walk_stream.h */
    /* of the delivering thread */
    struct tally_stream *stream;
    struct tally tally; /* of the stream that comes in parts */
    uint32_t adler;
    bool skip; /* it went wrong: what is left of it does not matter */
    struct walk_again *again;
    size_t again_n, again_capacity;
};

extern const struct pool_ops walk_ops; /* its cookie is the walker */
