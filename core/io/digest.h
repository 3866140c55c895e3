/* SPDX-License-Identifier: PostgreSQL */
/* digest.h - MD5 (S3's ETags, the contract's checksum) and SHA-256 (what the manifest says), one or both at once; and
 * XXH3 of 128 bits, which costs next to nothing, to tell whether two looks at something saw the same.
 *
 *     struct digest *d = digest_new(DIGEST_MD5 | DIGEST_SHA256);
 *     digest_put(d, bytes, n);
 *     digest_end(d, &sum);
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "core/base/err.h"

enum { DIGEST_MD5 = 1, DIGEST_SHA256 = 2, DIGEST_XXH3 = 4 };

struct digest_sum {
    uint8_t md5[16];
    uint8_t sha256[32];
    uint8_t xxh3[16];
    uint64_t bytes;
};

struct digest;
struct digest *digest_new(int which); /* NULL without memory */
void digest_put(struct digest *d, const void *bytes, size_t n);
void digest_end(struct digest *d, struct digest_sum *sum); /* what was not asked for is zeros; d is ready for anew */
void digest_free(struct digest *d);

/* n bytes of the file from offset on, or to its end with n UINT64_MAX. `what` names the file in messages. Interruptible
 * (ERR_SIGNAL). */
int digest_file(int fd, uint64_t offset, uint64_t n, int which, const char *what, struct digest_sum *sum,
                struct err *err);

/* Several at once, each on a thread of its own. */
struct digest_range {
    int which;
    uint64_t offset, n;    /* as above */
    struct digest_sum sum; /* what comes out */
};
int digest_ranges(int fd, struct digest_range *ranges, size_t count, const char *what, struct err *err);
