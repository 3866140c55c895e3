/* SPDX-License-Identifier: PostgreSQL */
/* run.h - one run of sfb as it is remembered and told about: who, what, when, how it ended, with which figures.
 *
 * sfb.c opens a run for a command that is watched (struct applet, `watched`). The applet says when the work begins
 * (watch_begin) and writes into the run what it learns; sfb.c adds how it ended and hands it to watch_end: history,
 * alerts, metrics. Text belongs to the run; run_set copies. What is not known stays NULL or 0, and is left out where the
 * run is written. Holds no secret: URLs of databases are never put here.
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
#define RUN_LINE_MAX ((size_t)64 * 1024) /* a line that is longer is none */
#define RUN_BUSY 75                      /* the exit code of a run that found another one at work, and did nothing */

struct run {
    enum run_kind kind;
    bool begun;         /* the work has begun: watch_begin. One that never did (usage, --help) is passed over */
    bool unrecorded;    /* a rehearsal, or refused before it did anything: neither remembered nor told */
    bool local;         /* asked to stay on this host (--local-only): so does the record of it */
    char *environment;  /* "production": whose database, whose backups */
    char *source;       /* of a restore: the environment that the backup is of, when that is another one */
    time_t started;     /* UTC */
    double seconds;     /* how long it took, all in all */
    int exit_code;      /* 0: success */
    int signal;         /* that ended it; 0: none */
    char *error, *hint; /* as they were printed */
    bool upload_failed; /* a backup that is good and here, but not in the store */
    char *backup;       /* its file name: backup-20251023-020000.dump */
    char *location;     /* its URL in the store, else its path on this host */
    char *report;       /* of a drill: its page's URL in the store, else its path on this host */
    char *report_path;  /* its page on this host */
    char *format;       /* "custom gzip 6": sizes of one format can be compared */
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
    int pid;
    double clock; /* when it started by the clock that only goes forward; for run_finish */
};

void run_init(struct run *r, enum run_kind kind, time_t started); /* with host, user, version and pid */
void run_release(struct run *r);

/* How it ended: exit code, error, hint, signal, seconds. One that somebody refused (ERR_CANCELLED) is `unrecorded`. */
void run_finish(struct run *r, int exit_code, const struct err *err);

/* It did its work and failed: not one that found another run at work. */
bool run_failed(const struct run *r);

/* Whose backups it is about: its source, else its environment; NULL: all of them, or not known. */
const char *run_subject(const struct run *r);

/* Sets one of the strings: frees the old one and copies; value NULL or "": none. */
int run_set(char **member, const char *value, struct err *err);
int run_phase(struct run *r, const char *name, double seconds, struct err *err); /* more than RUN_PHASES are dropped */

const char *run_kind_name(enum run_kind kind); /* "backup" */

/* One JSON object on one line, without the newline, and back. `parse` initialises *r; ERR_DAMAGED: it is none, and there
 * is nothing to release. Unknown members are ignored; text that is no UTF-8 is made visible. */
int run_write(const struct run *r, struct buf *out, struct err *err);
int run_parse(const char *line, size_t n, struct run *r, struct err *err);
