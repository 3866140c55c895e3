/* SPDX-License-Identifier: PostgreSQL */
/* opts.h - a command's options: one table gives parsing, --help, the man page and shell completion.
 *
 *     static struct { const char *environment; int level; bool verbose; } opt = { .level = 6 };
 *     static const struct opt options[] = {
 *         OPT_TEXT('e', "environment", "ENV", &opt.environment, "target environment: staging, production"),
 *         OPT_INT('c', "compression", "LEVEL", 0, 9, &opt.level, NULL, "compression level (0-9), default 6"),
 *         OPT_FLAG('v', "verbose", &opt.verbose, "verbose output"),
 *         OPT_END,
 *     };
 *
 * GNU manners: -e X, -eX, --environment X, --environment=X, bundled flags, `--` ends options, options may follow
 * operands, a long option may be cut short while it stays unique, --no-FLAG turns a flag off, --FLAG=true|false too.
 * -h and --help are known to every command without being in a table. The last value wins; an empty one is refused, as
 * it mostly comes from a variable that was not set.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "core/base/buf.h"
#include "core/base/err.h"

enum opt_kind { OPT_KIND_END, OPT_KIND_FLAG, OPT_KIND_TEXT, OPT_KIND_INT, OPT_KIND_LIST, OPT_KIND_GROUP };

struct opt_list {
    const char **items; /* freed by opts_release */
    size_t n;
};

struct opt {
    enum opt_kind kind;
    char letter;          /* 0: none */
    const char *name;     /* long, without dashes */
    const char *argument; /* its name in the help, e.g. "FILE" */
    void *value;          /* bool, const char *, int or struct opt_list */
    bool *given;          /* NULL, or set to true when the option was on the command line */
    int low, high;        /* OPT_KIND_INT */
    const char *help;     /* one line or more; '\n' starts an indented one */
};

/* clang-format off */
#define OPT_FLAG(letter, name, value, help) { OPT_KIND_FLAG, letter, name, NULL, value, NULL, 0, 0, help }
#define OPT_TEXT(letter, name, argument, value, help) { OPT_KIND_TEXT, letter, name, argument, value, NULL, 0, 0, help }
#define OPT_INT(letter, name, argument, low, high, value, given, help) \
    { OPT_KIND_INT, letter, name, argument, value, given, low, high, help }
#define OPT_LIST(letter, name, argument, value, help) { OPT_KIND_LIST, letter, name, argument, value, NULL, 0, 0, help }
#define OPT_GROUP(title) { OPT_KIND_GROUP, 0, NULL, NULL, NULL, NULL, 0, 0, title } /* a heading in the help */
#define OPT_END { OPT_KIND_END, 0, NULL, NULL, NULL, NULL, 0, 0, NULL }
/* clang-format on */

enum opts_result { OPTS_OK, OPTS_HELP, OPTS_ERROR };

/* Parses argv[1..]; the operands are moved to the front of argv (argv[0] included) and *operands is their number.
 * OPTS_ERROR fills err (ERR_USAGE) with the word that was wrong and, when one is near, what may have been meant. */
enum opts_result opts_parse(const struct opt *table, int argc, char **argv, int *operands, struct err *err);
void opts_release(const struct opt *table);

/* Two columns for --help, wrapped at 80; with -h, --help added at the end. */
void opts_help(struct buf *out, const struct opt *table);
