/* SPDX-License-Identifier: PostgreSQL */
/* recovery.h - one restore run, from the choice of the backup to the last comparison: what `sfb restore` does.
 *
 *     recovery_open(&params, &r, &err);     which backup, which database; nothing is changed
 *     recovery_announce(r);                 ...ask...
 *     recovery_run(r, &result, &err);       downloads, verifies, restores, proves; says each step, keeps the audit log
 *     recovery_close(r);
 */
#pragma once
#include "core/backup/choice.h"
#include "core/backup/restoration.h"
#include "core/backup/settings.h"

struct recovery_params {
    const struct settings *settings;
    const char *what, *source; /* as in choice.h */
    const char *environment;   /* whose database is replaced */
    time_t moment;             /* 0: none */
    unsigned jobs;
    bool quick;       /* verify the table of contents and the checksum only */
    bool unconfirmed; /* nobody could be asked: verify the backup, then end with ERR_CANCELLED */
    bool dry_run, counts_only, unsaved, create_logins; /* as in restoration.h */
};

struct recovery;
struct recovery *recovery_open(const struct recovery_params *p, struct err *err);
const struct choice *recovery_choice(const struct recovery *r);
const struct target *recovery_target(const struct recovery *r);
void recovery_announce(const struct recovery *r); /* what is about to happen, in the contract's words */

/* What is known by now; after a failure, too. */
struct recovery_account {
    const struct manifest *manifest; /* the backup's own; NULL: it has none, or it was not read */
    bool verified;
    double fetch_seconds, verify_seconds;
};
struct recovery_account recovery_account(const struct recovery *r);

/* *result is restoration's; release it with restoration_release. *seconds: how long all of it took. */
int recovery_run(struct recovery *r, struct restoration_result *result, double *seconds, struct err *err);
void recovery_close(struct recovery *r); /* NULL is fine */
