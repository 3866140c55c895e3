/* SPDX-License-Identifier: PostgreSQL */
/* pg_dump.c - PostgreSQL's own pg_dump, from inside this binary. */
#include "applets/applet.h"
#include "core/pg/tool.h"

static const char usage[] =
    "pg_dump [--pg MAJOR] [OPTIONS OF pg_dump...]\n"
    "\n"
    "PostgreSQL's own pg_dump of one of the embedded major versions; without --pg the newest. Everything else on the\n"
    "command line is pg_dump's: see `sfb pg_dump --help`. So are its exit codes.\n";

static const char examples[] = "# the schema alone\n"
                               "sfb pg_dump --schema-only postgresql://app@db/shop\n";

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    (void)ctx, (void)err;
    return tool_main_as_typed(TOOL_PG_DUMP, NULL, argc, argv);
}

APPLET(pg_dump, .summary = "PostgreSQL's own pg_dump", .usage = usage, .examples = examples, .raw = true, .run = run);
