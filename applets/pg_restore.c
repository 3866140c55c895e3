/* SPDX-License-Identifier: PostgreSQL */
/* pg_restore.c - PostgreSQL's own pg_restore, from inside this binary. */
#include "applets/applet.h"
#include "core/pg/tool.h"

static const char usage[] =
    "pg_restore [--pg MAJOR] [OPTIONS OF pg_restore...]\n"
    "\n"
    "PostgreSQL's own pg_restore of one of the embedded major versions; without --pg the newest. Everything else on the\n"
    "command line is pg_restore's: see `sfb pg_restore --help`. So are its exit codes.\n";

static const char examples[] = "# what is in a backup\n"
                               "sfb pg_restore --list backup-20251023-020000.dump\n"
                               "# one table of it, as SQL\n"
                               "sfb pg_restore --data-only --table=events -f events.sql backup-20251023-020000.dump\n";

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    (void)ctx, (void)err;
    return tool_main_as_typed(TOOL_PG_RESTORE, argc, argv);
}

APPLET(pg_restore, .summary = "PostgreSQL's own pg_restore", .usage = usage, .examples = examples, .raw = true,
       .run = run);
