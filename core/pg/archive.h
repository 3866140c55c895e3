/* SPDX-License-Identifier: PostgreSQL */
/* archive.h - PostgreSQL's custom archive format ("pg_dump -Fc"), versions 1.12 to 1.16, and a reader for its contents.
 *
 * THE FORMAT. Written down so that a reader needs no other. All versions differ only where a version is named.
 *
 *   1.12  9.0 to 10.2           1.13  10.3 to 11    1.14  12 to 15 (adds tableam)
 *   1.15  16 (method byte)      1.16  17 and 18 (adds relkind; several BLOBS entries)
 *
 *   byte      one byte
 *   int       a sign byte (0: positive, otherwise negative), then int_size bytes, least significant first (int_size is 4)
 *   string    an int with the length, then that many bytes, without a NUL; length -1: there is no string
 *   offset    a byte (1: not known, 2: known, 3: the entry has no data), then offset_size bytes, least first (8)
 *
 *   archive   header, contents, block*                                     and then the file ends; but see below
 *
 *   header    "PGDMP", byte major, byte minor, byte revision, byte int_size, byte offset_size, byte format (1: custom)
 *             1.15 on: byte method (0 none, 1 gzip, 2 lz4, 3 zstd)
 *             before:  int level   (0: none, anything else, -1 too: gzip)
 *             int second, minute, hour, day, month (0-11), year (since 1900), is_dst: when, in the dumper's local time
 *             string database, string server version, string pg_dump version
 *
 *   contents  int number of entries, then each entry:
 *             int     dump id, above 0; other entries and blocks refer to it
 *             int     1 when a block with this id follows the contents, else 0
 *             string  the class's oid, string the object's oid, both decimal ("0" when there is none)
 *             string  tag: the name of the object       string  desc: its kind, e.g. "TABLE", "TABLE DATA", "BLOBS"
 *             int     section: 1 none, 2 pre-data, 3 data, 4 post-data
 *             string  defn: SQL that makes it           string  drop: SQL that removes it
 *             string  copy: "COPY schema.table (columns) FROM stdin;\n", of TABLE DATA that is not made of INSERTs
 *             string  schema                            string  tablespace
 *             1.14 on: string  tableam                  1.16 on: int  relkind
 *             string  owner                             string  "true" for a table WITH OIDS (before 12), else "false"
 *             string* the dump ids, decimal, that this one depends on, ended by a string of length -1
 *             offset  where its block starts, counted from the start of the archive
 *
 *   block     byte 1, int dump id, stream                                  a table's rows
 *             byte 3, int dump id, (int oid, stream)*, int 0               large objects, each with its oid
 *   stream    (int length above 0, that many bytes)*, int 0                chunks
 *
 * The chunks of a stream, joined, are the data as the method compressed it: none: the data itself; gzip: one zlib
 * stream (RFC 1950), never two, for pg_restore does not look behind the first; zstd: frames, where a frame that is not
 * the last ends together with a chunk; lz4: one frame of the LZ4 frame format. No data at all is still a whole zlib
 * stream, zstd or lz4 frame, but without a method no chunk.
 *
 * A table's rows are COPY text: a newline after each, tabs between values, \N for null; behind the last row comes
 * "\.\n\n\n". Blocks stand in the order of their entries. pg_dump leaves the offsets "not known" when it can't seek,
 * and everybody can read such an archive from start to end. pg_dump 16 and newer opens its standard output for appending:
 * after "pg_dump -Fc >file" the contents with the offsets, which should have replaced those without, stand a second time
 * behind the last block.
 *
 * Dependencies never go in a circle, and no entry depends on itself. pg_dump knows circles (views, foreign keys, a default
 * that calls a function of the table's row type) and breaks each: it writes only when all its objects could be sorted, adds
 * no dependency after that, and what it leaves out is replaced by what that depends on. pg_restore does not ask: alone it
 * heeds no dependencies, with -j it makes what waits for itself last. For us a circle is damage.
 *
 * THE READER trusts nothing: a length counts only as far as bytes really arrive, memory has a maximum, and an error is
 * ERR_DAMAGED (or what the source said) with the offset at which the archive stops making sense.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/pg/tally.h"

enum archive_method { ARCHIVE_NONE = 0, ARCHIVE_GZIP = 1, ARCHIVE_LZ4 = 2, ARCHIVE_ZSTD = 3 }; /* as in 1.15's header */
enum archive_section { SECTION_NONE = 1, SECTION_PRE_DATA, SECTION_DATA, SECTION_POST_DATA };
enum archive_offset { OFFSET_UNKNOWN = 1, OFFSET_KNOWN = 2, OFFSET_NO_DATA = 3 };
enum archive_block_type { BLOCK_DATA = 1, BLOCK_OBJECTS = 3 };

#define ARCHIVE_VERSION(major, minor) ((major)*256 + (minor))

struct archive_entry {
    int id;
    bool has_data; /* a block with this id follows the contents */
    bool with_oids;
    int section; /* enum archive_section, or what the file says */
    int relkind; /* 0 before 1.16 */
    uint32_t class_oid, oid;
    const char *tag, *desc, *defn, *drop, *copy, *schema, *tablespace, *tableam, *owner; /* NULL: not there */
    int *depends; /* dump ids, or NULL; may name entries that are not in the archive; never in a circle */
    size_t depends_n;
    enum archive_offset state;
    uint64_t offset;    /* with OFFSET_KNOWN */
    uint64_t offset_at; /* where in the archive the offset itself stands (its state byte) */
};

struct archive {
    int version; /* ARCHIVE_VERSION(1, 16) */
    int revision;
    int int_size, offset_size;
    enum archive_method method;
    int level;                                            /* before 1.15: as the header says; from 1.15 on: 0 */
    int second, minute, hour, day, month, year, is_dst;   /* as in the file */
    const char *database, *server_version, *dump_version; /* NULL: not there */
    struct archive_entry *entries;
    size_t n;
    uint64_t method_at;   /* where the method byte or the level int stands */
    uint64_t contents_at; /* where the number of entries stands */
    uint64_t data_at;     /* the first block; the size of header and contents */
    char *bytes;          /* what the strings point into */
    size_t memory;        /* that all of this takes */
    int *depends_pool;
    struct archive_index *index; /* of archive_find */
};

/* ---- reading ------------------------------------------------------------------------------------------------- */

struct archive_in; /* a buffered source: archive_in.h */

/* Reads header and contents, and leaves `in` at the first block. max_memory 0: 160 MiB. `raw`, when it is not NULL, is
 * given header and contents exactly as they were in the file, before *a has its strings. On failure *a needs no release. */
typedef int archive_raw(void *cookie, const struct archive *a, const void *bytes, size_t n, struct err *err);
int archive_read(struct archive *a, struct archive_in *in, size_t max_memory, archive_raw *raw, void *cookie,
                 struct err *err);
void archive_release(struct archive *a);

/* Does the file begin like a custom archive? n: how many bytes are there, 5 suffice. */
bool archive_is(const void *bytes, size_t n);

struct archive_entry *archive_find(const struct archive *a, int id); /* NULL: no such entry */
struct archive_entry *archive_next_data(const struct archive *a,
                                        size_t *at);         /* the first with data from *at on; or NULL */
const char *archive_method_name(enum archive_method method); /* none, gzip, lz4, zstd */

/* "TABLE schema.name" and "the data of TABLE DATA schema.name": for messages; visible characters only. Return out. */
const char *archive_entry_label(const struct archive_entry *e, char *out, size_t size);
const char *archive_entry_name(const struct archive_entry *e, char *out, size_t size);

/* Has the entry rows that newlines count (COPY text)? With pg_dump --inserts it has not. */
bool archive_is_copy(const struct archive_entry *e);

/* ---- what to do with entries --------------------------------------------------------------------------------- */

/* The table and the columns that an entry's COPY loads, unquoted: names may hold anything. A statement that is not
 * exactly "COPY schema.table (columns) FROM stdin;" is refused (ERR_DAMAGED). n 0: a table without columns. */
struct archive_copy {
    char *schema, *table;
    char **columns;
    size_t n;
};
int archive_copy_parse(const struct archive_entry *e, struct archive_copy *out, struct err *err);
void archive_copy_release(struct archive_copy *c); /* fine when parsing failed */

/* The encoding of its text, as its ENCODING entry says; the caller frees. NULL: it says none. */
char *archive_encoding(const struct archive *a);

/* Appends what `pg_restore --list` prints, byte for byte as the pg_restore of the archive's own version prints it. */
int archive_list(const struct archive *a, struct buf *out, struct err *err);

/* ---- writing ------------------------------------------------------------------------------------------------- */

/* The bytes of the offset field at e->offset_at: n is offset_size + 1, at most 9. And of the header's field at
 * method_at: 1 byte, or int_size + 1 before 1.15, where it holds the level. Widths never change, so that a finished
 * archive is patched in place. */
#define ARCHIVE_PATCH 40
size_t archive_offset_field(const struct archive *a, uint64_t offset, uint8_t out[ARCHIVE_PATCH]);
size_t archive_method_field(const struct archive *a, enum archive_method method, int level, uint8_t out[ARCHIVE_PATCH]);
size_t archive_put_int(const struct archive *a, int64_t value,
                       uint8_t out[ARCHIVE_PATCH]); /* an int; int_size + 1 bytes */

/* ---- what passed --------------------------------------------------------------------------------------------- */

/* One block, as the transcoder wrote or the walk found it. Text of --inserts has bytes, but neither rows nor
 * fingerprint: counted is false. Large objects: each is a row (tally.h). */
struct archive_block {
    struct archive_entry *entry;
    enum archive_block_type type;
    bool counted;
    struct tally tally;
    uint64_t offset; /* where the block starts in the (compressed) archive */
    uint64_t stored; /* how many bytes it takes there, its framing included */
};

struct archive_blocks {
    struct archive_block *items; /* in the archive's order */
    size_t n, capacity;
};

void archive_blocks_release(struct archive_blocks *b);
struct archive_block *archive_blocks_add(struct archive_blocks *b, struct err *err); /* zeroed; NULL without memory */
