/* SPDX-License-Identifier: PostgreSQL */
/* retrieving.h - the parts of one retrieval; for retrieval.c and retrieving_*.c alone.
 *
 *     retrieval.c           the order of things, and what is said
 *     retrieving_source.c   the backup: its contents, its tables, its bytes
 *     retrieving_target.c   the database: what is there, roles, what comes after the rows, the proof
 */
#pragma once
#include "core/backup/audit.h"
#include "core/backup/manifest.h"
#include "core/backup/places.h"
#include "core/backup/retrieval.h"
#include "core/backup/stored.h"
#include "core/pg/excerpt.h"
#include "core/pg/restore.h"
#include "core/pg/walk.h"

struct retrieval {
    struct retrieval_params params;
    struct places places;
    struct audit audit;
    struct os_lock lock;
    struct target *target; /* NULL with an output */
    struct choice_params wanted;
    struct choice choice;

    /* the source */
    int fd;               /* of a file; -1: it is in a store */
    struct stored stored; /* of one in a store */
    struct walk_file file;
    struct manifest own; /* of a file */
    const struct manifest *manifest;
    struct archive toc;
    struct excerpt excerpt;
    struct tally *tallies; /* per table of the excerpt: what has passed */
    bool is_chosen, has_own, has_toc;
    bool is_doubted; /* its ETag is not its manifest's: only what the manifest vouches for is taken */
    bool is_unheard; /* pg_restore reads no further, and knows why */

    /* the target */
    PGconn *c;
    struct restore_plan plan;
    bool has_plan;
    struct tool tool;
};

/* What the manifest says of a table; NULL when it says nothing. */
const struct manifest_table *retrieving_expected(const struct retrieval *r, const struct excerpt_table *t);
/* Bytes of the backup that hold the tables' rows; 0 when that is not known before they are read. */
uint64_t retrieving_bytes(const struct retrieval *r);

int retrieving_open_source(struct retrieval *r, struct err *err);
void retrieving_close_source(struct retrieval *r);
/* All of the excerpt into fd, verified on its way. */
int retrieving_send(struct retrieval *r, int fd, struct err *err);

/* Connects and looks; nothing is changed. Decides about roles, and takes what can't be had out of the excerpt. */
int retrieving_check_target(struct retrieval *r, struct err *err);
int retrieving_finish_target(struct retrieval *r, struct retrieval_result *result, struct err *err);
