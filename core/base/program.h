/* SPDX-License-Identifier: PostgreSQL */
/* program.h - a program of the host, run in a session of its own: as whom, for how long, and what it said.
 *
 * What it writes (both outputs, mixed) goes into memory: its begin and its end are kept, however much there is. All that
 * it starts and that stays in its process group ends with it, and it ends with this process. fork() must come before
 * threads are started.
 *
 *     struct program p = { .argv = argv, .dies_by = SIGKILL };
 *     if (program_start(&p, err) == 0 && program_wait(&p, 60, &status, err) == 0) ...
 *     program_stop(&p, SIGTERM, 5);
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "core/base/buf.h"
#include "core/base/err.h"

struct program_user { /* whom a program of root runs as */
    char name[64];
    uid_t uid;
    gid_t gid;
};

struct program {
    const char *const *argv;        /* [0] is its path; NULL at the end */
    const char *const *environment; /* all of it, "NAME=value", NULL at the end; NULL: ours */
    const char *directory;          /* where it runs; NULL: where we are */
    const struct program_user *as;  /* NULL: as we are */
    int dies_by;                    /* the signal it gets when this process dies */
    pid_t pid;                      /* 0 when not running */
    int words;                      /* its output; -1 when there is none */
};
#define PROGRAM_NOTHING_RUNS .words = -1

/* -1 only when no child can be had. One that can't be executed says so in its words and ends with 127. */
int program_start(struct program *p, struct err *err);

/* Has it ended? Then it is reaped, with all that it left in its group, and *status is its wait status. */
bool program_ended(struct program *p, int *status);

/* Until it has ended: 0. 1: `seconds` are over (0: there is no bound), and it still runs. -1: a signal has come. */
int program_wait(struct program *p, double seconds, int *status, struct err *err);

/* Appends the last of what it said, as much as out still takes. */
void program_tail(const struct program *p, struct buf *out);

/* Ends its session: the signal, and after `grace` seconds SIGKILL. Reaps and releases; fine whatever its state. */
void program_stop(struct program *p, int signal, double grace);

/* "exit code 3", "killed by signal 9 (Killed)"; appended. */
void program_describe(struct buf *out, int status);

/* A user by name, where there is a passwd file. */
bool program_find_user(const char *name, struct program_user *out);
