/* SPDX-License-Identifier: PostgreSQL */
/* tally.h - how many rows, and what they were: counted while they pass.
 *
 * In COPY text every row ends in exactly one newline (a newline inside a value is written as \n), so newlines count
 * rows exactly. The fingerprint of a table is the sum, modulo 2^128, of XXH3's 128-bit hash (seed 0) of each row's text
 * without its newline. A sum does not depend on the order of the rows, so COPY out of a restored database gives the
 * same one, and parts may be tallied on different threads and added. It is a proof against accidents, not against
 * somebody who forges rows on purpose; the archive's SHA-256 is there for that.
 *
 * A large object is tallied as one row: the text "OID:" in decimal, then its content.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally {
    uint64_t rows;
    uint64_t bytes;     /* of COPY text, newlines counted; of large objects, their content */
    uint64_t high, low; /* the fingerprint */
};

/* Adds the whole rows in text; the last must end in a newline. */
void tally_rows(struct tally *t, const char *text, size_t n);

void tally_add(struct tally *t, const struct tally *more);
bool tally_same(const struct tally *a, const struct tally *b); /* rows and fingerprint */

/* Text that comes in pieces of any size: rows may be cut anywhere between two calls. Holds no row: memory is constant.
 * A last row without a newline is not counted. */
struct tally_stream;
struct tally_stream *tally_stream_new(void); /* NULL without memory */
void tally_stream_text(struct tally_stream *s, struct tally *t, const char *text, size_t n);
void tally_stream_object_begin(struct tally_stream *s, uint32_t oid); /* a large object, then its content, then end */
void tally_stream_object_data(struct tally_stream *s, struct tally *t, const void *bytes, size_t n);
void tally_stream_object_end(struct tally_stream *s, struct tally *t);
void tally_stream_free(struct tally_stream *s);

/* pg_dump ends a table's text with "\.\n\n\n". True: the text that passed ends so, and the tally no longer counts it.
 * False: it does not, the tally is as it was. Either way the stream is ready for another table. */
bool tally_stream_end_copy(struct tally_stream *s, struct tally *t);

/* A piece of a table's text, cut anywhere, looked at apart from the others on any thread; then, in order and on one
 * thread, joined to what came before. Only a row that is cut is hashed while joining. */
struct tally_piece {
    struct tally first; /* the first row as if it were whole: up to the first newline */
    struct tally rest;  /* the rows after it */
    size_t head, tail;  /* bytes up to the first newline, it included (0: there is none), and after the last one */
};
void tally_piece(struct tally_piece *p, const char *text, size_t n);
void tally_stream_join(struct tally_stream *s, struct tally *t, const struct tally_piece *p, const char *text,
                       size_t n); /* text and n as given to tally_piece */
/* A large object that is whole: what begin, data and end do, without a stream. */
void tally_object(struct tally *t, uint32_t oid, const void *bytes, size_t n);

#define TALLY_TEXT 33
const char *tally_fingerprint(char out[TALLY_TEXT], const struct tally *t); /* 32 hexadecimal digits */
bool tally_parse_fingerprint(const char *text, struct tally *t);
