/* SPDX-License-Identifier: PostgreSQL */
/* making.h - one backup run, from the connection to the last copy: what `sfb backup` does.
 *
 * Says each step (log.h), keeps the audit log, and leaves what is worth keeping: a backup that could not be uploaded
 * stays in the cache, or in the work directory, and the error says so.
 */
#pragma once
#include "core/backup/places.h"
#include "core/backup/settings.h"
#include "core/backup/snapshot.h"
#include "core/store/store.h"

struct making_params {
    const struct settings *settings;
    const char *environment, *label; /* label NULL: none */
    enum backup_format format;
    enum backup_method method;
    int level, retention_days;
    unsigned jobs;
    bool local_only;
    bool stream;    /* no file on this host: from pg_dump into the store, and not into the cache */
    bool read_back; /* of a stream: verify it once more by reading it, where that is allowed */
};

struct making_result {
    struct manifest manifest; /* as far as it was known: "" and 0 before there was a dump */
    char *path;               /* where the dump is on this host when all is done; NULL: nowhere */
    char *location;           /* its URL in the store; NULL: in none */
    bool verified;            /* the file was read back, and is good */
    bool weekly, monthly;     /* promoted */
    double seconds, dump_seconds, verify_seconds;
    double upload_seconds; /* what was left of it when the dump had been verified */
};

/* The classes of err say which phase failed: ERR_CONNECT, ERR_DUMP, ERR_SPACE, ERR_DAMAGED, ERR_UPLOAD, ERR_CONFIG.
 * *result tells what was reached either way; release it. */
int making_run(const struct making_params *p, struct making_result *result, struct err *err);
void making_release(struct making_result *result);
