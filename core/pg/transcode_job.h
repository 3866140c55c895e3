/* SPDX-License-Identifier: PostgreSQL */
/* transcode_job.h - what the transcoder's feeder (transcode.c) hands to its workers (transcode_job.c).
 *
 * A job is a buffer of text with the pieces in it: one segment of a long stream, or many short streams whole, so that
 * thousands of tiny tables or large objects cost no more than their bytes. A piece says what goes before and behind it
 * in the archive; a worker writes all of that into the job's output, so that delivering a job is one write.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/io/deflate.h"
#include "core/io/pool.h"
#include "core/pg/archive.h"
#include "core/pg/transcode.h"

#define JOB_TEXT DEFLATE_SEGMENT /* the most text in a job, and the size of a long stream's segments */
#define JOB_SLACK 64             /* copies may run over the end by as much */
#define JOB_PIECES 256

struct piece {
    struct archive_entry *entry;
    enum archive_block_type type;
    uint32_t object;               /* a large object's oid */
    bool block_begin, block_end;   /* a block starts with this piece, ends with it */
    bool stream;                   /* there is (part of) a stream in it */
    bool stream_begin, stream_end; /* the stream's first, last segment */
    size_t in_at, in_n;
    size_t out_at, out_n;
    size_t adler_at;           /* in out: where the checksum of the whole stream goes; 0: nowhere */
    uint32_t adler;            /* of this segment */
    struct tally object_tally; /* of an object that is whole */
    struct tally_piece tally;
};

struct job {
    char *in; /* JOB_TEXT + JOB_SLACK */
    uint8_t *out;
    size_t in_n, out_n;
    size_t pieces_n;
    struct piece pieces[JOB_PIECES];
};

struct transcoder {
    const struct transcode_params *params;
    enum archive_method method;
    int level;
    struct transcode_result *result;
    struct pool *pool;
    /* of the delivering thread */
    uint64_t written;
    struct archive_block *block; /* that is being written */
    struct tally_stream *stream;
    uint32_t adler;
};

extern const struct pool_ops transcode_ops; /* its cookie is the transcoder */

/* Threads and spare jobs, so that the whole takes bounded memory. */
unsigned transcode_threads(const struct transcoder *t);
