/* SPDX-License-Identifier: PostgreSQL */
/* s3_sums.h - for s3_upload.c: the checksums of parts, in memory or in a file, one or many at a time. */
#pragma once
#include "core/io/digest.h"
#include "core/io/md5x.h"
#include "core/store/s3_parts.h"

#define S3_SUMS_WORTH 3 /* fewer parts than that are summed faster one by one */

/* n bytes of memory, or of fd from offset on when bytes is NULL. */
int s3_sums_one(int which, const void *bytes, int fd, uint64_t offset, uint64_t n, struct digest_sum *out,
                struct err *err);

/* The MD5s of up to MD5X_LANES parts of the same size. */
int s3_sums_many(struct part *const *parts, unsigned n, int fd, struct err *err);
