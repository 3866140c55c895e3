/* SPDX-License-Identifier: PostgreSQL */
/* health.h - is a restored database fit for use? What rows that are equal do not tell: indexes, constraints, sequences.
 *
 * What is wrong here and was so in the backup, too (a constraint that is NOT VALID, a sequence behind its column), is
 * doubtful: somebody should know, but the backup is not to blame. The archive's own contents tell.
 */
#pragma once
#include <stdbool.h>
#include "core/base/err.h"
#include "core/pg/archive.h"
#include "core/pg/conn.h"

enum health_part {
    HEALTH_INDEXES,     /* the catalog says that each is valid and ready */
    HEALTH_SOUND,       /* amcheck's bt_index_check reads every page of every B-tree */
    HEALTH_CONSTRAINTS, /* each is validated */
    HEALTH_SEQUENCES,   /* each stands where the backup says, and not behind the column that owns it */
    HEALTH_PARTS
};

enum health_state { HEALTH_GOOD, HEALTH_DOUBTFUL, HEALTH_BAD, HEALTH_UNKNOWN };

struct health_finding {
    enum health_state state;
    char detail[1000]; /* "37 indexes"; else what is wrong, the first ones by name */
};

struct health_params {
    const struct target *target;
    const struct archive *archive; /* what was restored; NULL: not known */
    bool may_add;                  /* amcheck may be added while it is needed: nobody else uses this database */
    unsigned jobs;
};

/* Fills all of `out`. -1 only when the examination itself broke off: a signal, a lost connection, no memory. */
int health_examine(const struct health_params *p, struct health_finding out[HEALTH_PARTS], struct err *err);

/* Pure. Where the archive leaves a sequence: false when it does not say. */
struct health_position {
    char last[24]; /* decimal */
    bool called;
};
bool health_sequence_of(const struct archive_entry *e, struct health_position *out);
/* Does the archive make this constraint ("TABLE CONSTRAINT", as its tags are) NOT VALID? */
bool health_is_not_valid(const struct archive *a, const char *schema, const char *tag);
