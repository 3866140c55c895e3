/* SPDX-License-Identifier: PostgreSQL */
/* proof.h - is in the database what was in the backup? Every row of every table is read again and compared.
 *
 * Each table is copied out in the form in which it was dumped (the same columns, encoding and settings of output) and
 * tallied; rows and fingerprint must be the backup's. Tables are spread over connections, a table that alone would
 * keep the others waiting is read in parts (PostgreSQL 14 and newer). Large objects are read like a row each.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/base/err.h"
#include "core/pg/conn.h"
#include "core/pg/tally.h"

struct proof_table {
    const char *schema, *name;
    const char *const *columns; /* in the dump's order; none: a table without columns */
    size_t n_columns;
    struct tally expected;
};

/* What was found of one table, equal or not. */
struct proof_finding {
    const char *schema, *name;
    const struct tally *expected; /* NULL: it is not in the backup */
    const struct tally *found;    /* NULL: it is not in the database */
    bool same;
};

struct proof_listener {
    void (*tell)(void *cookie, const struct proof_finding *f); /* by this thread, when all have been read */
    void *cookie;
};

struct proof_params {
    const struct target *target; /* the restored database */
    const struct proof_table *tables;
    size_t n;                    /* a table that stands there twice has both sums */
    const struct tally *objects; /* large objects; NULL: not known */
    const char *encoding;        /* of the dump's text; NULL or "": the database's */
    const char *lc_monetary;     /* of the dumping session; NULL or "": the server's */
    bool settings_unknown;       /* another tool's dump: it may have been made with another time zone */
    bool counts_only;
    bool partial;                          /* these tables alone: what else is in the database is no matter */
    const struct proof_listener *listener; /* NULL: nobody wants to know */
    unsigned jobs;
};

/* ERR_PROOF: the message names the first table that differs, what was expected and what was found; each further one is
 * warned about. *rows: how many there are in all. */
int proof_run(const struct proof_params *p, uint64_t *rows, struct err *err);

/* Counts the rows of every table when there is nothing to compare with. */
int proof_count(const struct target *target, unsigned jobs, uint64_t *tables, uint64_t *rows, struct err *err);
