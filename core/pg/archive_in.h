/* SPDX-License-Identifier: PostgreSQL */
/* archive_in.h - the bytes of an archive in order, from wherever they come, with their offset.
 *
 * A source is a function: a pipe, a file, memory, a range of an S3 object. The buffer never holds more than its
 * capacity; what a caller wants to look at as one piece must fit in it.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "core/base/err.h"
#include "core/pg/archive.h"

struct archive_source {
    /* 1 to n bytes, 0 at the end, -1 and err. May block; returns with ERR_SIGNAL when the program is to end. */
    ssize_t (*read)(void *cookie, void *bytes, size_t n, struct err *err);
    void *cookie;
};

struct archive_in {
    struct archive_source source;
    char *buf;
    size_t at, end, capacity; /* buf[at..end) has not been taken yet */
    uint64_t offset;          /* of buf[0] in the archive */
    enum err_class damage;    /* what an end that comes too early is: ERR_DAMAGED, of a pipe ERR_DUMP */
};

#define ARCHIVE_IN_SLACK 64 /* bytes behind the buffer that may be read, whatever they are */
int archive_in_open(struct archive_in *in, struct archive_source source, size_t capacity, struct err *err);
void archive_in_close(struct archive_in *in); /* the source stays the caller's */

static inline uint64_t archive_in_tell(const struct archive_in *in)
{
    return in->offset + in->at;
}
static inline size_t archive_in_ready(const struct archive_in *in)
{
    return in->end - in->at;
}

/* Makes at least n bytes stand at buf + at (n is at most the capacity) if there are that many before the end.
 * Returns how many stand there, or -1 and err. */
ssize_t archive_in_fill(struct archive_in *in, size_t n, struct err *err);

/* The same, but an earlier end is an error: "the archive ends at offset N, within WHAT". */
int archive_in_need(struct archive_in *in, size_t n, const char *what, struct err *err);

/* Takes n bytes that may be more than the buffer holds, to nowhere. */
int archive_in_skip(struct archive_in *in, uint64_t n, const char *what, struct err *err);

int archive_in_int(struct archive_in *in, const struct archive *a, const char *what, int64_t *value, struct err *err);

/* The next block's header. 1: *type and *entry are set; 0: the archive ends here; -1 and err: no block, or of no entry
 * of the contents that has data. */
int archive_in_block(struct archive_in *in, const struct archive *a, enum archive_block_type *type,
                     struct archive_entry **entry, struct err *err);

/* The next chunk's length, 0 at the end of the stream; -1 and err. */
int64_t archive_in_chunk(struct archive_in *in, const struct archive *a, const struct archive_entry *e,
                         struct err *err);

/* A source that reads a descriptor from its present position. Interruptible (ERR_SIGNAL). */
struct archive_source archive_source_fd(int *fd);
