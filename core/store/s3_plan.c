/* SPDX-License-Identifier: PostgreSQL */
/* s3_plan.c - how large the parts of an upload are, and how many are on their way at once. */
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/store/s3_upload.h"

#define MIB (1ULL << 20)

void s3_plan_make(uint64_t expected_size, unsigned max_parts, unsigned parallel, uint64_t memory, struct s3_plan *out)
{
    uint64_t least, buffers;

    /* A quarter more than expected must fit into the three quarters of the numbers that have this size. */
    least = (expected_size / max_parts) * 5 / 3 + MIB - 1;
    least -= least % MIB;
    if (expected_size == 0)
        least = 2 * S3_PART_USUAL;
    out->part_most = memory == 0 ? S3_PART_MOST : memory / 2 - memory / 2 % MIB;
    if (out->part_most < S3_PART_USUAL)
        out->part_most = S3_PART_USUAL;
    out->part_size = least < S3_PART_USUAL ? S3_PART_USUAL : least > out->part_most ? out->part_most : least;
    out->max_parts = max_parts;
    out->threads = parallel;
    out->spare = 1;
    if (memory == 0)
        return;
    buffers = memory / out->part_size; /* one is part 1, which waits; one is being filled, the rest is on its way */
    if (buffers < 2 + (uint64_t)parallel)
        out->threads = buffers > 3 ? (unsigned)(buffers - 2) : 1;
    if (buffers < 3)
        out->spare = 0;
    else if (buffers > 2 + (uint64_t)parallel)
        out->spare = (unsigned)(buffers - 1 - parallel);
}

uint64_t s3_plan_part_size(const struct s3_plan *p, unsigned number)
{
    unsigned usual = p->max_parts - p->max_parts / 4, step = p->max_parts / 32 ? p->max_parts / 32 : 1;
    uint64_t size = p->part_size;

    if (number <= usual)
        return size;
    for (unsigned i = 0; i <= (number - usual - 1) / step && size < p->part_most; i++)
        size *= 2;
    return size < p->part_most ? size : p->part_most;
}

uint64_t s3_plan_capacity(const struct s3_plan *p)
{
    uint64_t sum = 0;

    for (unsigned i = 1; i <= p->max_parts; i++)
        sum += s3_plan_part_size(p, i);
    return sum;
}

/* Uploads that share memory are a convenience: they must have plenty of it. */
static int check_share(const struct s3_plan *p, uint64_t memory, uint64_t expected, struct err *err)
{
    char text[TEXT_SHORT];

    if (memory >= 2 * p->part_size && expected <= s3_plan_capacity(p) / 4)
        return 0;
    err_set(err, ERR_CONFIG, "%s of memory are too little for each of several uploads at once",
            text_size(text, memory));
    err_hint(err, "raise SFB_S3_MEMORY, or let it be a file first");
    return -1;
}

static int check_capacity(const struct s3_plan *p, uint64_t memory, uint64_t expected, struct err *err)
{
    uint64_t most = s3_plan_capacity(p);
    char wanted[TEXT_SHORT], carried[TEXT_SHORT], text[TEXT_SHORT];

    text_size(wanted, expected);
    text_size(carried, most);
    if (expected <= most) {
        if (expected > most / 5 * 2) /* what does not compress is so much more */
            log_warn("a stream in this memory carries %s, and about %s are expected, if it compresses as most does: "
                     "a larger SFB_S3_MEMORY carries more",
                     carried, wanted);
        return 0;
    }
    err_set(err, ERR_CONFIG, "about %s are expected, and a stream of %u parts in %s of memory carries %s", wanted,
            p->max_parts, text_size(text, memory), carried);
    err_hint(err, "raise SFB_S3_MEMORY, or let it be a file first, which has no such limit");
    return -1;
}

int s3_plan_check(const struct s3_plan *p, uint64_t memory, bool shared, uint64_t expected, struct err *err)
{
    return shared ? check_share(p, memory, expected, err) : check_capacity(p, memory, expected, err);
}

int s3_plan_exceeded(const struct s3_plan *p, const char *key, bool from_file, struct err *err)
{
    char size[TEXT_SHORT];

    err_set(err, ERR_UPLOAD, "%s has become larger than %u parts can carry", key, p->max_parts);
    if (from_file || p->max_parts < STORE_MAX_PARTS)
        err_hint(err, "set SFB_S3_MAX_PARTS to what the provider allows, at most %u", STORE_MAX_PARTS);
    else
        err_hint(err, "parts are held in memory, %s at most: raise SFB_S3_MEMORY, or let it be a file first",
                 text_size(size, p->part_most));
    return -1;
}
