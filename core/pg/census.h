/* SPDX-License-Identifier: PostgreSQL */
/* census.h - how many rows the tables of a live database have, without being in anybody's way.
 *
 * One connection, read-only, no parallel workers. Each table is counted in a statement of its own, so that no snapshot is
 * held for long, under the weakest lock that reads; a table that somebody else has locked is given up after two seconds. One
 * whose rows take more than `counted_bytes` is not read: what its statistics say is scaled to its present size, as the
 * planner does it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/base/err.h"
#include "core/pg/conn.h"

struct census_table {
    char *schema, *name;
    bool known, estimated;
    uint64_t rows;
};

struct census {
    struct census_table *tables; /* by schema and name */
    size_t n;
    size_t unknown; /* that could not be counted */
    char why[300];  /* of the first of them */
};

struct census_params {
    const struct target *target;
    uint64_t counted_bytes; /* INT64_MAX: whatever their size */
    /* Is the table one that somebody asks for? A partitioned table is counted as a whole when it is, else each of its
     * partitions; of an extension's tables only those are counted. NULL: none is. */
    bool (*wanted)(void *cookie, const char *schema, const char *name);
    void *cookie;
};

/* ERR_CONNECT when the database can't be reached. On failure, too, census_release. */
int census_take(const struct census_params *p, struct census *out, struct err *err);
void census_release(struct census *c);
const struct census_table *census_find(const struct census *c, const char *schema, const char *name);
