/* SPDX-License-Identifier: PostgreSQL */
/* run.h - one run of sfb as it is remembered and told about: who, what, when, how it ended, with which figures.
 *
 * sfb.c opens a run for a command that is watched (struct applet, `watched`), the applet writes into it what it
 * learns, sfb.c adds how it ended, and watch.h hands it to the history, the alerts and the metrics. Text belongs to the
 * run; run_set copies. What is not known stays NULL or 0. Holds no secret: URLs of databases are never put here.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include "core/base/buf.h"
#include "core/base/err.h"

enum run_kind { RUN_NONE, RUN_BACKUP, RUN_RESTORE, RUN_VERIFY, RUN_PRUNE, RUN_DRILL, RUN_KINDS };

#define RUN_PHASES 16

struct run {
    enum run_kind kind;
    bool unrecorded;    /* a rehearsal, or refused before it began: neither remembered nor told */
    char *environment;  /* "production" */
    time_t started;     /* UTC */
    double seconds;     /* how long it took, all in all */
    int exit_code;      /* 0: success */
    int signal;         /* that ended it; 0: none */
    char *error, *hint; /* as they were printed */
    bool upload_failed; /* a backup that is good and here, but not in the store */
    char *backup;       /* its file name: backup-20251023-020000.dump */
    char *location;     /* its URL in the store, else its path on this host */
    char *database;     /* name only */
    time_t taken;       /* the moment that the backup holds */
    uint64_t size;      /* of the dump, bytes */
    uint64_t database_size, tables, rows;
    char *md5;                       /* of the dump, hexadecimal */
    bool stored, verified, proven;   /* in a store; every check passed; every row compared after a restore */
    double recovery_seconds;         /* drill and restore: fetch, verify, restore, proof */
    uint64_t removed, removed_bytes; /* prune */
    struct {
        char *name; /* "dump", "upload", "fetch" */
        double seconds;
    } phases[RUN_PHASES];
    size_t n_phases;
    char *host, *user, *version;
};

void run_init(struct run *r, enum run_kind kind, time_t started); /* with host, user and version */
void run_release(struct run *r);

/* Sets one of the strings: frees the old one and copies; value NULL: none. */
int run_set(char **member, const char *value, struct err *err);
int run_phase(struct run *r, const char *name, double seconds, struct err *err); /* more than RUN_PHASES are dropped */

const char *run_kind_name(enum run_kind kind); /* "backup" */

/* One JSON object on one line, without the newline, and back. `parse` initialises *r; ERR_DAMAGED: it is none. Unknown
 * members are ignored. Phase names of a parsed run are owned by it. */
int run_write(const struct run *r, struct buf *out, struct err *err);
int run_parse(const char *line, size_t n, struct run *r, struct err *err);
