/* SPDX-License-Identifier: PostgreSQL */
/* tool.c - which of PostgreSQL's programs there are, and which one fits. */
#include "core/pg/tool.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"

/* Made by vendor/build.sh for the majors that could be built. Where it is missing, there is none. */
#if __has_include("sfb_pg_majors.h")
#include "sfb_pg_majors.h"
#else
#define SFB_PG_MAJORS(X)
#endif

#define OLDEST_SERVER 90200 /* what every embedded pg_dump still reads */
#define PROGRAMS 4

typedef int main_function(int argc, char **argv);

/* Weak, so that a program without PostgreSQL's objects, such as a unit test, links too. */
#define X(n, version)                                         \
    main_function pg_dump##n##_main __attribute__((weak));    \
    main_function pg_restore##n##_main __attribute__((weak)); \
    main_function pg_dumpall##n##_main __attribute__((weak)); \
    main_function psql##n##_main __attribute__((weak));
SFB_PG_MAJORS(X)
#undef X

/* The oldest first; mains in the order of enum tool_program. */
static const struct embedded {
    int major;
    const char *version;
    main_function *mains[PROGRAMS];
} embedded[] = {
#define X(n, version) { n, version, { pg_dump##n##_main, pg_restore##n##_main, pg_dumpall##n##_main, psql##n##_main } },
    SFB_PG_MAJORS(X)
#undef X
        { 0, "", { NULL } },
};

static const char *const names[PROGRAMS] = { "pg_dump", "pg_restore", "pg_dumpall", "psql" };

/* ---- what there is ------------------------------------------------------------------------------------------- */

int tool_embedded(size_t i)
{
    for (const struct embedded *e = embedded; e->major != 0; e++)
        if (e->mains[0] != NULL && i-- == 0)
            return e->major;
    return 0;
}

static const struct embedded *find_embedded(int major)
{
    const struct embedded *e = embedded;

    while (e->major != 0 && (e->major != major || e->mains[0] == NULL))
        e++;
    return e->major != 0 ? e : NULL;
}

static int newest_embedded(void)
{
    int newest = 0;

    for (size_t i = 0; tool_embedded(i) != 0; i++)
        newest = tool_embedded(i);
    return newest;
}

/* "15, 17 and 18" */
static void put_majors(struct buf *out)
{
    for (size_t i = 0; tool_embedded(i) != 0; i++)
        buf_printf(out, "%s%d", i == 0 ? "" : tool_embedded(i + 1) != 0 ? ", " : " and ", tool_embedded(i));
    if (out->size == 0)
        buf_puts(out, "none");
}

const char *tool_name(enum tool_program p)
{
    return names[p];
}

const char *tool_version(const struct tool *t)
{
    const struct embedded *e = t->bindir == NULL ? find_embedded(t->major) : NULL;
    static char major[12];

    if (e != NULL)
        return e->version;
    snprintf(major, sizeof major, "%d", t->major);
    return major;
}

/* The major of the programs in bindir, by asking pg_dump itself; 0 when they can't be run, with a warning. */
static int host_major(const char *bindir)
{
    static const char *const args[] = { "--version", NULL };
    const struct tool host = { .major = 0, .bindir = bindir };
    struct tool_run run = { .tool = &host, .program = TOOL_PG_DUMP, .args = args, TOOL_RUN_NONE };
    const char prefix[] = "pg_dump (PostgreSQL) ";
    char said[100] = "";
    struct err err = { 0 };
    int major = 0;

    run.stdout_fd = memfd_create("sfb-version", MFD_CLOEXEC);
    if (run.stdout_fd >= 0 && tool_start(&run, &err) == 0 && tool_wait(&run, ERR_DUMP, &err) == 0 &&
        pread(run.stdout_fd, said, sizeof said - 1, 0) > 0 && text_starts(said, prefix))
        major = (int)strtol(said + sizeof prefix - 1, NULL, 10);
    if (major <= 0)
        log_warn("the PostgreSQL programs in %s can't be used: %s", bindir,
                 err.class != ERR_NONE ? err.message : "pg_dump --version says nothing that is understood");
    tool_stop(&run);
    if (run.stdout_fd >= 0)
        close(run.stdout_fd);
    return major;
}

/* ---- which one fits ------------------------------------------------------------------------------------------ */

int tool_for_major(int major, struct tool *out, struct err *err)
{
    struct buf majors;

    *out = (struct tool){ .major = major != 0 ? major : newest_embedded() };
    if (find_embedded(out->major) != NULL)
        return 0;
    buf_init(&majors, 256);
    put_majors(&majors);
    err_set(err, ERR_USAGE, "there is no PostgreSQL %d inside; there is %s", major, majors.data);
    buf_release(&majors);
    return -1;
}

static bool use_host(const char *bindir, int at_least, struct tool *out)
{
    int major = bindir != NULL && *bindir ? host_major(bindir) : 0;

    if (major == 0 || major < at_least)
        return false;
    *out = (struct tool){ .major = major, .bindir = bindir };
    return true;
}

static void hint_host(struct err *err, int major)
{
    err_hint(err,
             "get a newer sfb; or install PostgreSQL %d's client programs and name their directory in SFB_PG_BINDIR "
             "(on Debian /usr/lib/postgresql/%d/bin)",
             major, major);
}

/* A pg_dump writes what its own major's pg_restore reads, so the smallest that knows the server is best. */
int tool_for_server(int server_version, const char *bindir, struct tool *out, struct err *err)
{
    int server = server_version / 10000;
    struct buf majors;

    if (server_version < OLDEST_SERVER) {
        err_set(err, ERR_DUMP, "the server is PostgreSQL %d.%d; pg_dump reads 9.2 and newer", server,
                server_version / 100 % 100);
        err_hint(err, "this old a server must be dumped with its own programs");
        return -1;
    }
    for (size_t i = 0; tool_embedded(i) != 0; i++) {
        *out = (struct tool){ .major = tool_embedded(i) };
        if (out->major < server)
            continue;
        if (server <= 15 ? out->major > 15 : out->major > server + 1)
            log_warn(
                "sfb was built without the matching pg_dump: the server's own pg_restore may not read what pg_dump "
                "%d writes",
                out->major);
        return 0;
    }
    if (use_host(bindir, server, out))
        return 0;
    buf_init(&majors, 256);
    put_majors(&majors);
    err_set(err, ERR_DUMP, "the server is PostgreSQL %d, and there is no pg_dump for it: inside are %s", server,
            majors.data);
    hint_host(err, server);
    buf_release(&majors);
    return -1;
}

/* The newest archive format, 1.N, that a major's pg_restore reads. */
static int newest_format(int major)
{
    return major >= 17 ? 16 : major == 16 ? 15 : 14;
}

int tool_for_archive(int minor, int dump_major, const char *bindir, struct tool *out, struct err *err)
{
    int host_needed = dump_major;

    for (size_t i = 0; tool_embedded(i) != 0; i++) {
        *out = (struct tool){ .major = tool_embedded(i) };
        if (out->major >= dump_major && newest_format(out->major) >= minor)
            return 0;
    }
    if (host_needed <= newest_embedded())
        host_needed = newest_embedded() + 1;
    if (use_host(bindir, host_needed, out))
        return 0;
    err_set(err, ERR_RESTORE, "the archive (format 1.%d, written by pg_dump %d) is newer than the pg_restore inside",
            minor, dump_major);
    hint_host(err, host_needed);
    return -1;
}

/* ---- what PostgreSQL's programs call ------------------------------------------------------------------------- */

void sfb_pg_setlocale(const char *argv0, const char *app);
int sfb_pg_find_other_exec(const char *argv0, const char *target, const char *version, char *path);

/* For set_pglocale_pgservice(), which goes looking for its own file and message catalogues. */
void sfb_pg_setlocale(const char *argv0, const char *app)
{
    (void)argv0, (void)app;
    setlocale(LC_ALL, "");
}

/* For find_other_exec(): pg_dumpall wants to know where pg_dump is before it knows that it needs none. path has room for
 * 1024 bytes (PostgreSQL's MAXPGPATH). */
int sfb_pg_find_other_exec(const char *argv0, const char *target, const char *version, char *path)
{
    (void)argv0, (void)version;
    snprintf(path, 1024, "%s", target);
    return 0;
}

/* ---- in this process ----------------------------------------------------------------------------------------- */

static const char *running; /* the program whose main() this process is in */

/* musl's buffer is 1 KiB, which is slow for dumps, and in a child it may be line buffered still, as our own output on a
 * terminal was. glibc's is larger, and can't be changed once it was used. */
static void widen_stdout(void)
{
#ifndef __GLIBC__
    static char buffer[256 * 1024];

    if (!isatty(STDOUT_FILENO))
        setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
#endif
}

/* pg_dump and its sisters do not ask whether their last bytes on standard output arrived: a dump cut short by a full disk
 * would count as good. */
static void check_stdout(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return;
    fprintf(stderr, "%s: error: could not write to standard output: %s\n", running,
            errno != 0 ? strerror(errno) : "a write failed (is the disk full?)");
    _exit(1);
}

int tool_main(const struct tool *tool, enum tool_program program, int argc, char **argv)
{
    const struct embedded *e = find_embedded(tool->major);
    char path[PATH_MAX];

    if (tool->bindir == NULL && e != NULL) {
        running = names[program];
        widen_stdout();
        atexit(check_stdout);
        argv[0] = (char *)(uintptr_t)names[program]; /* programs only read it */
        return e->mains[program](argc, argv);
    }
    snprintf(path, sizeof path, "%s/%s", tool->bindir != NULL ? tool->bindir : "", names[program]);
    argv[0] = path;
    execv(path, argv);
    fprintf(stderr, "%s: error: can't run %s: %m\n", names[program], path);
    return 127;
}

int tool_main_as_typed(enum tool_program program, const struct tool *usual, int argc, char **argv)
{
    const char *wanted = NULL;
    struct err err = { 0 };
    struct tool tool;
    int major = 0, taken = 0;

    if (argc > 1 && text_starts(argv[1], "--pg=")) {
        wanted = argv[1] + 5;
        taken = 1;
    } else if (argc > 1 && strcmp(argv[1], "--pg") == 0) {
        wanted = argc > 2 ? argv[2] : "";
        taken = argc > 2 ? 2 : 1;
    }
    if (wanted != NULL && !text_parse_int(wanted, 1, 999, &major))
        err_set(&err, ERR_USAGE, "--pg wants a major version, such as --pg 15");
    if (err.class != ERR_NONE || tool_for_major(major, &tool, &err) < 0) {
        log_error(&err);
        return 2;
    }
    argv[taken] = argv[0];
    return tool_main(wanted == NULL && usual != NULL ? usual : &tool, program, argc - taken, argv + taken);
}
