/* SPDX-License-Identifier: PostgreSQL */
/* transcode.h - an uncompressed archive comes out of a pipe, a compressed one goes into a sink, on every core.
 *
 * `pg_dump -Fc -Z0` writes into a pipe; its blocks are cut into segments of at most 1 MiB, each of which a worker
 * counts, fingerprints and compresses; the results are written in order. Where a segment is cut depends on the data
 * alone, so the bytes that come out are the same for any number of workers and any timing. At the end the offsets of
 * the blocks, known only now, are patched into the contents.
 *
 * Each segment becomes exactly one chunk: gzip: the zlib stream's segments end in a sync flush, so that a chunk can be
 * inflated without those before it; zstd: a frame; none: the text. A stock pg_restore reads all of them.
 *
 * Memory does not depend on the data: rows and large objects of any size pass in pieces.
 */
#pragma once
#include <stdint.h>
#include "core/base/err.h"
#include "core/pg/archive.h"

/* Where the archive goes. The functions are called from any thread, but never two at a time; write in order. patch
 * rewrites bytes that write already had, within the first archive.data_at bytes, after the last write. With patch NULL
 * the offsets stay unknown (a pipe to a pg_restore). */
struct transcode_sink {
    int (*begin)(void *cookie, uint64_t contents, struct err *err); /* NULL, or: before the first write, data_at */
    int (*write)(void *cookie, const void *bytes, size_t n, struct err *err);
    int (*patch)(void *cookie, uint64_t offset, const void *bytes, size_t n, struct err *err);
    void *cookie;
};

struct transcode_params {
    int in_fd; /* the pipe; read to its end, not closed */
    struct transcode_sink sink;
    enum archive_method method; /* NONE, GZIP or ZSTD; ZSTD only from version 1.15 on (ERR_CONFIG) */
    int level;                  /* gzip 0 to 9, where 0 is ARCHIVE_NONE; zstd 1 to 19, 0: its default, 3 */
    unsigned jobs;              /* 0: as many as there are processors */
    void (*progress)(void *cookie, uint64_t bytes); /* NULL, or: so many bytes more came in; on the caller's thread */
    void *progress_cookie;
};

struct transcode_result {
    struct archive toc; /* what the archive contains, offsets as they are now */
    struct archive_blocks blocks;
    uint64_t bytes_in, bytes_out;
    struct tally tables, objects; /* sums over all blocks */
};

/* Blocks until the pipe ends. ERR_DUMP when the stream ends early or is no archive, with the offset and the table: the
 * caller then looks at how pg_dump ended, which says more. What the sink has by then is not an archive. ERR_SIGNAL when
 * interrupted. On failure *out needs no release. */
int transcode(const struct transcode_params *p, struct transcode_result *out, struct err *err);
void transcode_result_release(struct transcode_result *r);
