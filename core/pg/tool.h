/* SPDX-License-Identifier: PostgreSQL */
/* tool.h - PostgreSQL's own pg_dump, pg_restore, pg_dumpall and psql, run from inside the binary.
 *
 * Each runs in a forked child that calls the program's main(): no exec, no shell, no PATH, so that it works where
 * there is nothing but this binary. A connection string with its password stays in memory. fork() must come before
 * threads are started. Which major: servers up to 15 get 15, 16 and 17 get 17, 18 gets 18; so the archive is one that
 * the server's own pg_restore reads. For a newer server the host's programs are used (exec'd from bindir) when they
 * are new enough.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/pg/conn.h"

enum tool_program { TOOL_PG_DUMP, TOOL_PG_RESTORE, TOOL_PG_DUMPALL, TOOL_PSQL };

struct tool {
    int major;          /* 15, 17, 18, or the host's */
    const char *bindir; /* NULL: embedded; else where the host's programs are (the caller's string) */
};

/* For a server of server_version (PQserverVersion). ERR_DUMP that names what is missing when nothing fits. */
int tool_for_server(int server_version, const char *bindir, struct tool *out, struct err *err);
/* The smallest embedded major that reads archives of format version 1.minor and dumps of dump_major. */
int tool_for_archive(int minor, int dump_major, const char *bindir, struct tool *out, struct err *err);
/* An embedded major by number; 0: the newest. ERR_USAGE lists what there is. */
int tool_for_major(int major, struct tool *out, struct err *err);

int tool_embedded(size_t i);                    /* the i-th embedded major, the oldest first; 0 after the last */
const char *tool_name(enum tool_program p);     /* "pg_dump" */
const char *tool_version(const struct tool *t); /* "15.18"; static; the major alone for a host's */

/* A program to run, and the running program. Its stderr goes into memory (a memfd: no pipe to drain, no file to leave
 * behind) and is read when it has ended; with --verbose, tool_follow passes it on line by line meanwhile. */
struct tool_run {
    const struct tool *tool;
    enum tool_program program;
    const char *const *args;     /* argv[1..] without the connection, NULL at the end */
    const struct target *target; /* NULL: it connects to nothing */
    const char *session_options; /* "-c name=value ...", merged with the target's own; NULL: none */
    int stdin_fd, stdout_fd;     /* -1: nothing comes, nothing is kept. They stay the caller's to close */
    pid_t pid;                   /* 0 when not running */
    int stderr_fd;               /* -1 when there is none */
    size_t followed;             /* bytes of stderr already passed on */
};
#define TOOL_RUN_NONE .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1

/* The password reaches an embedded program in memory, a host's in PGPASSWORD. The child dies with this process
 * (PR_SET_PDEATHSIG), so that a killed run leaves no pg_dump behind. */
int tool_start(struct tool_run *run, struct err *err);
/* With --verbose: what it has said since the last call. Cheap; for loops that wait for something else. */
void tool_follow(struct tool_run *run);
/* Waits for the end, which a signal hastens. 0 when it ended with 0; else -1 and err of `class`: its first error
 * message, the exit status or signal. */
int tool_wait(struct tool_run *run, enum err_class class, struct err *err);
/* Ends it (SIGTERM, then SIGKILL after a grace), reaps it, releases everything. Fine whatever its state; always call. */
void tool_stop(struct tool_run *run);

/* main() of an embedded program in this process, for `sfb pg_dump` and the links: it may exit() itself. */
int tool_main(const struct tool *tool, enum tool_program program, int argc, char **argv);
/* The same with a command line as a user typed it: "--pg 15" (or --pg=15) right after argv[0] picks the major, otherwise
 * `usual` runs, or, when that is NULL, the newest. The program's exit code, or 2 after it has said that there is no such
 * major. */
int tool_main_as_typed(enum tool_program program, const struct tool *usual, int argc, char **argv);
