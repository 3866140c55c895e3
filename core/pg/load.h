/* SPDX-License-Identifier: PostgreSQL */
/* load.h - the rows of an archive's tables into their (empty) tables, by COPY over several connections.
 *
 * pg_restore can do this, too. Done here it is read with the quicker inflate, progress is known, and the rows arrive
 * frozen (COPY ... FREEZE in the transaction that truncates the table): nothing has to visit them a second time to make
 * them visible for good, neither VACUUM nor the first reader. A table that is larger than all others together is loaded
 * over all connections at once, instead of keeping the last one busy while the others wait; its rows come unfrozen.
 *
 * What is not plain COPY text into a plain table (INSERTs, OIDs, archives without offsets) stays with pg_restore.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/base/err.h"
#include "core/pg/archive.h"
#include "core/pg/conn.h"

struct load_params {
    const struct target *target;
    const struct archive *archive;
    const int *fd;        /* the archive's file */
    const char *encoding; /* of its text */
    const uint64_t *work; /* per entry: how much it is, in any unit; NULL: as its size in the file */
    unsigned jobs;
    void (*progress)(uint64_t bytes); /* of text, from any thread; NULL: nobody wants to know */
};

/* wanted: per entry of the archive; entries that were loaded are set to false. ERR_RESTORE names the table. */
int load_run(const struct load_params *p, bool *wanted, struct err *err);
