/* SPDX-License-Identifier: PostgreSQL */
/* applet.h - what a command of sfb is made of.
 *
 * One command, one file in applets/, ending in APPLET(...); applets.h lists them all. sfb.c parses the options, loads
 * the settings when the applet wants them, calls run(), prints the error and maps it to an exit code. --help, the man
 * page and the completions come from the same tables.
 */
#pragma once
#include <stdbool.h>
#include "core/base/err.h"
#include "core/base/opts.h"
#include "core/watch/run.h"

struct settings;

struct context {
    const struct settings *settings; /* NULL for an applet that does not want them */
    struct run *run;                 /* NULL for one that is not watched; to be filled with what is learnt */
    const char *program;             /* as the user called it: "sfb backup", "restore-database" */
};

/* Error classes and what the process exits with. ERR_NONE stands for every class that has no line of its own. Known to
 * all applets, and not listed: 0 success, 128+N ended by signal N. One that takes a lock lists EXITS_BUSY. */
#define ERR_OWN ((enum err_class)(-1)) /* of no class: run() returned the code itself */
struct exit_map {
    enum err_class class;
    int code;
    const char *meaning; /* as the help shows it; NULL: a further class for a code that has its line */
};
#define EXITS_BUSY                                               \
    {                                                            \
        ERR_BUSY, 75, "another run is at work; nothing was done" \
    }
#define EXITS_END   \
    {               \
        0, -1, NULL \
    }

struct applet {
    const char *name;
    const char *summary;       /* one line for --list */
    const char *usage;         /* synopsis lines, an empty line, then what it does */
    const char *examples;      /* NULL: none. "# what\ncommand\n" pairs */
    const struct opt *options; /* NULL for a raw applet */
    const struct exit_map *exits;
    bool wants_settings;   /* adds --config FILE to its options */
    enum run_kind watched; /* its runs are remembered, once it has called watch_begin() (core/watch/watch.h) */
    /* Of a watched one: the option that says whose run it is. NULL: run() finds out */
    const char *const *environment;
    bool raw;                 /* argv goes to run() untouched, run()'s result is the exit code: pg_dump and the like */
    const char *const *links; /* further names it answers to, NULL at the end; "NAME.sh" is understood for each */
    /* operands only. 0; -1 and err; or the exit code itself, when it tells of no failure */
    int (*run)(const struct context *ctx, int argc, char **argv, struct err *err);
};

/* Defines the applet's table entry: applet_NAME. */
#define APPLET(identifier, ...) const struct applet applet_##identifier = { .name = #identifier, __VA_ARGS__ }
