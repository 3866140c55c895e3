/* SPDX-License-Identifier: PostgreSQL */
/* unpack.h - the text inside a compressed file, read as a stream.
 *
 * What it is compressed with is told by its first bytes, never by its name: gzip (any number of members, checksums
 * verified, as sfb writes it), zstd, xz, bzip2, lz4 (by libarchive, for dumps of other tools), or not at all.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>
#include "core/base/err.h"

/* Reads fd from its current position; it stays the caller's to close. `what` names the file in messages, and is kept. */
struct unpack;
struct unpack *unpack_open(int fd, const char *what, struct err *err);

/* Up to n bytes of text; fewer only at its end, 0 from then on. -1 and ERR_DAMAGED when the file ends early, has a wrong
 * checksum or something behind its end that is not compressed data. */
ssize_t unpack_read(struct unpack *u, void *bytes, size_t n, struct err *err);
uint64_t unpack_consumed(const struct unpack *u); /* bytes of the file read so far: for progress */
void unpack_close(struct unpack *u);
