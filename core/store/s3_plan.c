/* SPDX-License-Identifier: PostgreSQL */
/* s3_plan.c - how large the parts of an upload are, and how many are on their way at once. */
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
