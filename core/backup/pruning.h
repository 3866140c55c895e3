/* SPDX-License-Identifier: PostgreSQL */
/* pruning.h - the plan for a store's backups, and its execution.
 *
 *     pruning_plan(&p, now, &plan, &err);      reads the store, deletes nothing
 *     pruning_execute(&p, &plan, &err);        deletes what the plan says, and looks again whether it is gone
 *     pruning_release(&plan);
 *
 * No lock keeps a backup from running meanwhile, on this host or another: there is nothing of it that a plan could hit. A
 * key is never used twice, a plan holds only what has expired and has newer ones, and a dump without its manifest, as of
 * a run that is under way, is kept, or with `adopt` judged by its age.
 */
#pragma once
#include "core/backup/audit.h"
#include "core/backup/catalog.h"
#include "core/backup/proofs.h"
#include "core/backup/retention.h"
#include "core/store/store.h"

struct pruning_params {
    struct store *store;     /* opened with STORE_READ, and STORE_DELETE for pruning_execute */
    const char *environment; /* NULL: all */
    struct retention_policy policy;
    bool adopt;          /* judge backups without a manifest by their names */
    struct audit *audit; /* is told of each backup that goes; NULL: nobody is */
};

struct pruning {
    struct catalog catalog;
    struct retention_verdict *verdicts; /* one for each item */
    size_t doomed;
    uint64_t doomed_bytes;
    struct proofs proofs; /* the reports of drills: old ones go, but for what proves a backup that is there */
    size_t doomed_proofs;
};

int pruning_plan(const struct pruning_params *p, time_t now, struct pruning *out, struct err *err);

/* Goes on after a backup that can't be deleted; the first failure is told. ERR_STORE when something that should be gone
 * is still there. */
int pruning_execute(const struct pruning_params *p, const struct pruning *plan, struct err *err);
void pruning_release(struct pruning *plan);
