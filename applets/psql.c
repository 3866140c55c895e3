/* SPDX-License-Identifier: PostgreSQL */
/* psql.c - PostgreSQL's own psql, from inside this binary. */
#include "applets/applet.h"
#include "core/pg/tool.h"

static const char usage[] =
    "psql [--pg MAJOR] [OPTIONS OF psql...]\n"
    "\n"
    "PostgreSQL's own psql of one of the embedded major versions; without --pg the newest. Everything else on the\n"
    "command line is psql's: see `sfb psql --help`. So are its exit codes.\n";

static const char examples[] = "# is the data there?\n"
                               "sfb psql postgresql://app@db/shop -c \"SELECT count(*) FROM events\"\n";

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    (void)ctx, (void)err;
    return tool_main_as_typed(TOOL_PSQL, NULL, argc, argv);
}

APPLET(psql, .summary = "PostgreSQL's own psql", .usage = usage, .examples = examples, .raw = true, .run = run);
