/* SPDX-License-Identifier: PostgreSQL */
/* walk_stream.h - one stream of an archive, decompressed from its first byte to its last, whoever wrote it.
 *
 * For one thread; keeps its buffers and decompressors from stream to stream. A compressed stream must be whole, end
 * where its chunks end and have the right checksum.
 */
#pragma once
#include <pthread.h>
#include <stdint.h>
#include "core/pg/archive_in.h"
#include "core/pg/walk.h"

struct walk_codec; /* the decompressors: walk_codec.c */

struct walk_stream {
    const struct walk_file *file;
    const struct archive *a;
    struct archive_in in;
    uint64_t position, limit; /* what is read from the file next, and where to stop reading ahead */
    struct walk_codec *codec;
};

/* `big` may be NULL: held while a stream needs an unusual amount of memory, so that only one has it at a time. */
int walk_stream_open(struct walk_stream *s, const struct walk_file *file, const struct archive *a, size_t read_size,
                     pthread_mutex_t *big, struct err *err);
void walk_stream_close(struct walk_stream *s);

void walk_stream_seek(struct walk_stream *s, uint64_t offset, uint64_t limit);

/* From the first chunk's length to the 0 that ends the stream. */
int walk_stream_data(struct walk_stream *s, const struct archive_entry *e, uint32_t object, walk_data *data,
                     void *cookie, struct err *err);

/* ---- the decompressors --------------------------------------------------------------------------------------- */

/* Where the data goes, and what to say when there is something wrong with it. */
struct walk_target {
    const struct archive_entry *entry;
    uint32_t object;
    walk_data *data;
    void *cookie;
};

struct walk_codec *walk_codec_new(enum archive_method method, pthread_mutex_t *big, struct err *err);
void walk_codec_free(struct walk_codec *c);
int walk_codec_begin(struct walk_codec *c, struct err *err);
/* A part of a chunk, all of which is consumed. `what` gets the reason on failure, unless err is set (by the target). */
int walk_codec_feed(struct walk_codec *c, const void *bytes, size_t n, bool chunk_ends, const struct walk_target *to,
                    const char **what, struct err *err);
int walk_codec_end(struct walk_codec *c, const char **what); /* is the stream whole? Always to be called after begin */
