/* SPDX-License-Identifier: PostgreSQL */
/* pg_restore.c - PostgreSQL's own pg_restore, from inside this binary. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "applets/applet.h"
#include "core/pg/tool.h"
#include "core/pg/walk.h"

static const char usage[] =
    "pg_restore [--pg MAJOR] [OPTIONS OF pg_restore...]\n"
    "\n"
    "PostgreSQL's own pg_restore of one of the embedded major versions; without --pg the smallest that reads the archive\n"
    "FILE, so that what it makes suits old servers too, or the newest. Everything else on the command line is pg_restore's: see `sfb pg_restore --help`. So are its exit codes.\n";

static const char examples[] = "# what is in a backup\n"
                               "sfb pg_restore --list backup-20251023-020000.dump\n"
                               "# one table of it, as SQL\n"
                               "sfb pg_restore --data-only --table=events -f events.sql backup-20251023-020000.dump\n";

/* The smallest major that reads an archive; NULL when there is none at that path. */
static const struct tool *tool_of(const char *path, struct tool *tool)
{
    struct archive contents;
    struct walk_file file;
    struct err ignored = { 0 };
    bool found = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to hang on a fifo */

    if (fd >= 0 && walk_file_fd(&file, &fd, &ignored) == 0 && walk_contents(&file, &contents, &ignored) == 0) {
        int major = contents.dump_version != NULL ? (int)strtol(contents.dump_version, NULL, 10) : 0;

        found = tool_for_archive(contents.version % 256, major, NULL, tool, &ignored) == 0;
        archive_release(&contents);
    }
    if (fd >= 0)
        close(fd);
    return found ? tool : NULL;
}

/* Which argument is the archive only pg_restore knows for sure: the last that is one, and no option. */
static const struct tool *tool_of_any(int argc, char **argv, struct tool *tool)
{
    const struct tool *found = NULL;

    for (int i = argc - 1; i > 0 && found == NULL; i--)
        if (argv[i][0] != '-')
            found = tool_of(argv[i], tool);
    return found;
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    struct tool tool;

    (void)ctx, (void)err;
    return tool_main_as_typed(TOOL_PG_RESTORE, tool_of_any(argc, argv, &tool), argc, argv);
}

APPLET(pg_restore, .summary = "PostgreSQL's own pg_restore", .usage = usage, .examples = examples, .raw = true,
       .run = run);
