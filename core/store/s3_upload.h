/* SPDX-License-Identifier: PostgreSQL */
/* s3_upload.h - for store_s3.c: an upload that streams into a bucket, and how large its parts are. */
#pragma once
#include "core/store/s3_impl.h"
#include "core/store/store_impl.h"

struct store_s3 {
    struct store store;
    struct s3 *s3;
    char *prefix; /* "" or "a/b/" */
    unsigned parallel, max_parts;
    uint64_t memory;
    bool leaves_parts; /* of failed uploads, and has said so */
};

struct upload *s3_upload_begin(struct store_s3 *s, const char *key, const struct upload_params *p, struct err *err);

/* ---- s3_undo.c ------------------------------------------------------------------------------------------------- */

/* What an upload that failed may have left is taken back, as far as this identity may: regardless of signals, and not
 * for long. What stays is told, and how the bucket's lifecycle clears it. */
struct s3_undo {
    const char *key;
    const char *id; /* of the upload that was begun; "": none was, or its id never came */
    bool twice;     /* there may be another one, whose id never came */
    bool wrong;     /* the object is there, and is not what was sent */
    bool unsure;    /* the object may be there; if it has this size and ETag it is ours: */
    uint64_t size;
    const char *etag;
};
void s3_undo(struct store_s3 *s, const struct s3_undo *u);

/* ---- s3_plan.c ------------------------------------------------------------------------------------------------- */

#define S3_PART_LEAST (5ULL << 20)
#define S3_PART_USUAL (8ULL << 20)
#define S3_PART_MOST (5ULL << 30)

struct s3_plan {
    uint64_t part_size;      /* of all parts but the last, as long as the expectation holds */
    uint64_t part_most;      /* and of the largest, when it does not */
    unsigned threads, spare; /* of the pool */
    unsigned max_parts;
};

/* memory 0: parts are not held in memory. Else two fit into it, whatever their size: the first, which waits, and one on
 * its way. */
void s3_plan_make(uint64_t expected_size, unsigned max_parts, unsigned parallel, uint64_t memory, struct s3_plan *out);

/* How large the object can become at most. */
uint64_t s3_plan_capacity(const struct s3_plan *p);

/* Is it enough for a stream of the expected size, in memory that it has alone or shares? Rather asked now than after
 * hours: ERR_CONFIG, or a warning when it is near. */
int s3_plan_check(const struct s3_plan *p, uint64_t memory, bool shared, uint64_t expected, struct err *err);

/* Says that it was not. Always -1. */
int s3_plan_exceeded(const struct s3_plan *p, const char *key, bool from_file, struct err *err);

/* The size of part `number` (from 1). All parts are alike, as R2 and others want them, until three quarters of the
 * numbers are used up: then the expectation was far too low, and they grow, so that the upload ends well on most servers.
 * On the others it is begun anew at its end, if it has a file. */
uint64_t s3_plan_part_size(const struct s3_plan *p, unsigned number);
