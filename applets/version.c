/* SPDX-License-Identifier: PostgreSQL */
/* version.c - which sfb this is, and what is inside. */
#include "version.h"

#include <stdio.h>

#include "applets/applet.h"
#include "libraries.h"
#include "sfb_pg_majors.h"

static const char usage[] =
    "version [--verbose]\n"
    "\n"
    "Print the version of sfb; with --verbose also those of the PostgreSQL programs and of every library inside.\n";

static const char examples[] = "# Is the fixed OpenSSL in?\n"
                               "sfb version --verbose | grep openssl\n";

static bool verbose;

static const struct opt options[] = {
    OPT_FLAG('v', "verbose", &verbose, "list PostgreSQL's programs and the libraries, with licences"),
    OPT_END,
};

static const struct exit_map exits[] = {
    { ERR_NONE, 2, "wrong usage, or the output could not be written" },
    EXITS_END,
};

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    (void)ctx;
    if (argc > 0)
        return err_set(err, ERR_USAGE, "version takes no operand, but \"%s\" was given", argv[0]);
    puts("sfb " SFB_VERSION);
    if (!verbose)
        return 0;
    puts("\nPostgreSQL's pg_dump, pg_dumpall, pg_restore and psql:");
#define X(major, version) printf("  %-16s %s\n", #major, version);
    SFB_PG_MAJORS(X)
#undef X
    puts("\nLibraries:");
#define X(name, version, licence) printf("  %-16s %-24s %s\n", name, version, licence);
    LIBRARIES(X)
#undef X
    return 0;
}

APPLET(version, .summary = "print the version, and what is inside", .usage = usage, .examples = examples,
       .options = options, .exits = exits, .run = run);
