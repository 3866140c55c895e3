/* SPDX-License-Identifier: PostgreSQL */
/* md5x.h - the MD5 of several pieces of equal size at once.
 *
 * S3 wants the MD5 of every part, and one MD5 can't be computed in parallel: each step waits for the one before. Several
 * can, one in each lane of a vector register, and two registers at a time, since even those wait for themselves: up to
 * fourteen times as fast as one after the other.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define MD5X_LANES 32

struct md5x {
    uint32_t state[4][MD5X_LANES];
    uint64_t bytes; /* of each */
    unsigned lanes;
};

/* How many lanes will be used, from the first on: fewer may cost less. */
void md5x_init(struct md5x *m, unsigned lanes);
/* n more bytes of each lane: a multiple of 64, but for the last time. pieces[] has MD5X_LANES pointers; a lane that is
 * not used may point where another does, and has no sum. */
void md5x_put(struct md5x *m, const uint8_t *const pieces[MD5X_LANES], size_t n);
/* The last n bytes of each, any number, and the sums. */
void md5x_end(struct md5x *m, const uint8_t *const pieces[MD5X_LANES], size_t n, uint8_t sums[MD5X_LANES][16]);
