/* SPDX-License-Identifier: PostgreSQL */
/* walk.h - reads a finished archive from its first byte to its last: is it whole, and what is in it?
 *
 * Works on anybody's custom archives, of every method that is built in. Every block is decompressed and counted, what
 * comes out is stored nowhere; memory does not depend on the data, nor on what the data claims to be. Checked are: the
 * structure; that every entry with data has its block exactly once and every block its entry; that known offsets are
 * right; that compressed data is whole and has its checksum; that a table's rows end as COPY text ends; that nothing
 * follows the last block, but what pg_dump itself puts there (archive.h).
 *
 * Archives of ours are inflated chunk by chunk on all cores; others block by block.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "core/base/err.h"
#include "core/pg/archive.h"

/* Bytes at any offset: a file, memory, an object in S3. read_at is called from several threads at once. */
struct walk_file {
    ssize_t (*read_at)(void *cookie, void *bytes, size_t n, uint64_t offset, struct err *err); /* fewer: end; or -1 */
    void *cookie;
    uint64_t size;     /* or WALK_STREAM */
    uint64_t contents; /* how much header and contents take, as somebody says: no more is read for them. 0: not known */
};

/* For walk() alone: bytes are read once, in order, until there are no more. */
#define WALK_STREAM UINT64_MAX

/* A regular file that is open for reading; *fd must stay valid and open. ERR_DAMAGED when it is no regular file. */
int walk_file_fd(struct walk_file *file, const int *fd, struct err *err);

/* Bytes in memory; *bytes must stay valid. */
struct walk_bytes {
    const void *bytes;
    size_t n;
};
struct walk_file walk_file_bytes(const struct walk_bytes *bytes);

struct walk_params {
    struct walk_file file;
    unsigned jobs;                                  /* 0: as many as there are processors */
    void (*progress)(void *cookie, uint64_t bytes); /* NULL, or: so many bytes more of the file; the caller's thread */
    void *progress_cookie;
    /* NULL, or: sees all of the file's bytes, in order; the caller's thread. */
    void (*seen)(void *cookie, const void *bytes, size_t n);
    void *seen_cookie;
};

struct walk_result {
    struct archive toc;
    struct archive_blocks blocks;
    struct tally tables, objects;
};

/* All of it. ERR_DAMAGED with offset and table; on failure *out needs no release. */
int walk(const struct walk_params *p, struct walk_result *out, struct err *err);
void walk_result_release(struct walk_result *r);

/* How much memory a file's contents may take: 160 MiB, or twice the file's size if that is more, up to 1 GiB. What a
 * small file claims to be counts for nothing, and the contents of a database with a million tables can be read. */
size_t walk_memory(const struct walk_file *file);

/* Header and contents only. Release with archive_release. */
int walk_contents(const struct walk_file *file, struct archive *out, struct err *err);

/* How many bytes of the file an entry's block takes, its framing included; 0: that is not known before it was read. */
uint64_t walk_extent(const struct walk_file *file, const struct archive *a, const struct archive_entry *e);

/* One entry's data, uncompressed, in pieces: COPY text as in the archive, "\.\n\n\n" included. A known offset is used,
 * else the blocks are searched from the first. Reads no more of the file than the block, and in large pieces.
 * object is 0, or the oid of the large object that the piece is of. n is 0 where an object starts, never otherwise. */
typedef int walk_data(void *cookie, uint32_t object, const void *bytes, size_t n, struct err *err);
int walk_entry(const struct walk_file *file, const struct archive *a, const struct archive_entry *e, walk_data *data,
               void *cookie, struct err *err);
