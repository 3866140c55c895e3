/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/pg/tool.h"
#include "sfb_pg_majors.h"

/* The embedded programs are stand-ins here: they do what their last argument says (before pg_dumpall's -l). */
static int act(const char *name, int major, int argc, char **argv)
{
    const char *what = argv[argc - (argc > 2 && strcmp(argv[argc - 2], "-l") == 0 ? 3 : 1)];

    if (strcmp(what, "arguments") == 0) {
        printf("%s %d", name, major);
        for (int i = 0; i < argc; i++)
            printf("|%s", argv[i]);
    } else if (strcmp(what, "fail") == 0) {
        fprintf(stderr, "%s: error: it went wrong\n", name);
        return 1;
    } else if (strcmp(what, "descriptors") == 0) {
        for (int fd = 0; fd < 256; fd++)
            if (fcntl(fd, F_GETFD) >= 0)
                printf("%d ", fd);
    } else if (strcmp(what, "surroundings") == 0) {
        printf("%s %s %s", getenv("LC_ALL"), getenv("PGTZ"), getenv("PGCLIENTENCODING") ? "kept" : "gone");
    } else if (strcmp(what, "copy") == 0) {
        for (int c; (c = getchar()) != EOF;)
            putchar(c);
    } else if (strcmp(what, "hang") == 0) {
        for (;;)
            pause();
    } else if (strcmp(what, "stubborn") == 0) {
        signal(SIGTERM, SIG_IGN);
        fprintf(stderr, "ready\n");
        for (;;)
            pause();
    } else if (strcmp(what, "babble") == 0) {
        fprintf(stderr, "%s: error: the cause\n", name);
        for (int i = 0; i < 30000; i++)
            fprintf(stderr, "line %d of many %1000s\n", i, "that say nothing");
        return 1;
    } else if (strcmp(what, "die") == 0) {
        raise(SIGKILL);
    }
    return 0;
}

#define X(n, version)                                \
    int pg_dump##n##_main(int argc, char **argv);    \
    int pg_restore##n##_main(int argc, char **argv); \
    int pg_dumpall##n##_main(int argc, char **argv); \
    int psql##n##_main(int argc, char **argv);       \
    int pg_dump##n##_main(int argc, char **argv)     \
    {                                                \
        return act("pg_dump", n, argc, argv);        \
    }                                                \
    int pg_restore##n##_main(int argc, char **argv)  \
    {                                                \
        return act("pg_restore", n, argc, argv);     \
    }                                                \
    int pg_dumpall##n##_main(int argc, char **argv)  \
    {                                                \
        return act("pg_dumpall", n, argc, argv);     \
    }                                                \
    int psql##n##_main(int argc, char **argv)        \
    {                                                \
        return act("psql", n, argc, argv);           \
    }
SFB_PG_MAJORS(X)
#undef X

static bool has(int major)
{
    struct err err = { 0 };
    struct tool tool;

    return tool_for_major(major, &tool, &err) == 0;
}

/* ---- which one ----------------------------------------------------------------------------------------------- */

static void server_gets_its_own(void **state)
{
    static const struct {
        int server, major;
    } rows[] = { { 90600, 15 }, { 120004, 15 }, { 150018, 15 }, { 160003, 17 }, { 170001, 17 }, { 180000, 18 } };
    struct tool tool;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = { 0 };
        if (!has(rows[i].major))
            continue;
        assert_int_equal(tool_for_server(rows[i].server, NULL, &tool, &err), 0);
        assert_int_equal(tool.major, rows[i].major);
        assert_null(tool.bindir);
    }
}

static void unknown_server_names_what_is_missing(void **state)
{
    struct err err = { 0 };
    struct tool tool;

    (void)state;
    assert_int_equal(tool_for_server(990000, NULL, &tool, &err), -1);
    assert_int_equal(err.class, ERR_DUMP);
    assert_non_null(strstr(err.message, "PostgreSQL 99"));
    assert_non_null(strstr(err.hint, "SFB_PG_BINDIR"));
    err_clear(&err);
    assert_int_equal(tool_for_server(90100, NULL, &tool, &err), -1);
    assert_non_null(strstr(err.message, "9.1"));
}

static void archive_gets_the_smallest_that_reads_it(void **state)
{
    static const struct {
        int minor, dump, major;
    } rows[] = { { 12, 9, 15 },  { 14, 12, 15 }, { 14, 15, 15 }, { 15, 16, 17 },
                 { 16, 17, 17 }, { 16, 18, 18 }, { 16, 0, 17 } };
    struct err err = { 0 };
    struct tool tool;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!has(rows[i].major))
            continue;
        assert_int_equal(tool_for_archive(rows[i].minor, rows[i].dump, NULL, &tool, &err), 0);
        assert_int_equal(tool.major, rows[i].major);
    }
    assert_int_equal(tool_for_archive(17, 19, NULL, &tool, &err), -1);
    assert_non_null(strstr(err.hint, "PostgreSQL 19"));
}

static void majors_are_listed(void **state)
{
    struct err err = { 0 };
    struct tool tool;
    int before = 0;

    (void)state;
    for (size_t i = 0; tool_embedded(i) != 0; i++) {
        assert_true(tool_embedded(i) > before);
        before = tool_embedded(i);
    }
    assert_int_equal(tool_for_major(0, &tool, &err), 0);
    assert_int_equal(tool.major, before);
#define X(n, version)                                    \
    assert_int_equal(tool_for_major(n, &tool, &err), 0); \
    assert_string_equal(tool_version(&tool), version);
    SFB_PG_MAJORS(X)
#undef X
    assert_int_equal(tool_for_major(3, &tool, &err), -1);
    assert_int_equal(err.class, ERR_USAGE);
}

/* ---- running ------------------------------------------------------------------------------------------------- */

static struct tool newest(void)
{
    struct err err = { 0 };
    struct tool tool;

    assert_int_equal(tool_for_major(0, &tool, &err), 0);
    return tool;
}

/* Runs it to its end; what it printed. */
static const char *printed(struct tool_run *run, struct err *err)
{
    static char out[8192];
    ssize_t n;

    run->stdout_fd = memfd_create("out", MFD_CLOEXEC);
    if (tool_start(run, err) == 0)
        tool_wait(run, ERR_DUMP, err);
    n = pread(run->stdout_fd, out, sizeof out - 1, 0);
    out[n > 0 ? n : 0] = '\0';
    close(run->stdout_fd);
    tool_stop(run);
    return out;
}

static void connection_goes_by_memory(void **state)
{
    struct err err = { 0 };
    struct target *t = target_parse("postgresql://app:sesame@db/a%3Db", &err);
    struct tool tool = newest();
    const char *const args[] = { "arguments", NULL };
    struct tool_run run = { .tool = &tool, .program = TOOL_PG_DUMP, .args = args, .target = t, TOOL_RUN_NONE };
    const char *out;

    (void)state;
    run.session_options = "-c TimeZone=UTC";
    out = printed(&run, &err);
    assert_int_equal(err.class, ERR_NONE);
    assert_non_null(strstr(out, "|--no-password|-d|"));
    assert_non_null(strstr(out, "password='sesame'"));
    assert_non_null(strstr(out, "options=' -c TimeZone=UTC'"));
    run.program = TOOL_PG_DUMPALL;
    out = printed(&run, &err);
    assert_non_null(strstr(out, "|-l|dbname='a=b'"));
    target_free(t);
}

static void failure_is_told(void **state)
{
    struct err err = { 0 };
    struct tool tool = newest();
    const char *const fail[] = { "fail", NULL }, *const die[] = { "die", NULL };
    struct tool_run run = { .tool = &tool, .program = TOOL_PG_RESTORE, .args = fail, TOOL_RUN_NONE };

    (void)state;
    assert_string_equal(printed(&run, &err), "");
    assert_string_equal(err.message, "pg_restore failed: it went wrong");
    err_clear(&err);
    run.args = die;
    printed(&run, &err);
    assert_non_null(strstr(err.message, "killed by signal 9"));
}

static void child_has_three_descriptors(void **state)
{
    struct err err = { 0 };
    struct tool tool = newest();
    const char *const args[] = { "descriptors", NULL };
    struct tool_run run = { .tool = &tool, .program = TOOL_PG_DUMP, .args = args, TOOL_RUN_NONE };
    int pipe_of_ours[2];

    (void)state;
    assert_int_equal(pipe(pipe_of_ours), 0);
    assert_string_equal(printed(&run, &err), "0 1 2 ");
    close(pipe_of_ours[0]);
    close(pipe_of_ours[1]);
}

static void surroundings_do_not_matter(void **state)
{
    struct err err = { 0 };
    struct tool tool = newest();
    const char *const args[] = { "surroundings", NULL };
    struct tool_run run = { .tool = &tool, .program = TOOL_PG_DUMP, .args = args, TOOL_RUN_NONE };

    (void)state;
    setenv("PGCLIENTENCODING", "LATIN1", 1);
    setenv("PGTZ", "Asia/Kolkata", 1);
    assert_string_equal(printed(&run, &err), "C UTC gone");
    unsetenv("PGCLIENTENCODING");
    unsetenv("PGTZ");
}

static void input_and_output_are_wired(void **state)
{
    struct err err = { 0 };
    struct tool tool = newest();
    const char *const args[] = { "copy", NULL };
    struct tool_run run = { .tool = &tool, .program = TOOL_PSQL, .args = args, TOOL_RUN_NONE };
    int in = memfd_create("in", MFD_CLOEXEC);

    (void)state;
    assert_string_equal(printed(&run, &err), ""); /* nothing comes: not our own standard input */
    assert_int_equal(write(in, "text\n", 5), 5);
    lseek(in, 0, SEEK_SET);
    run.stdin_fd = in;
    assert_string_equal(printed(&run, &err), "text\n");
    assert_int_equal(fcntl(in, F_GETFD) >= 0, 1); /* still the caller's */
    close(in);
}

static void stop_ends_it(void **state)
{
    struct err err = { 0 };
    struct tool tool = newest();
    const char *const hang[] = { "hang", NULL }, *const stubborn[] = { "stubborn", NULL };
    struct tool_run run = { .tool = &tool, .program = TOOL_PG_DUMP, .args = hang, TOOL_RUN_NONE };
    struct stat st = { 0 };
    pid_t pid;

    (void)state;
    tool_stop(&run); /* never started */
    assert_int_equal(tool_start(&run, &err), 0);
    pid = run.pid;
    tool_stop(&run);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    tool_stop(&run);

    run.args = stubborn;
    assert_int_equal(tool_start(&run, &err), 0);
    pid = run.pid;
    while (st.st_size == 0) /* until it ignores SIGTERM, and says so */
        assert_int_equal(fstat(run.stderr_fd, &st), 0);
    tool_stop(&run);
    assert_int_equal(kill(pid, 0), -1);
}

static void avalanche_is_bounded(void **state)
{
    struct err err = { 0 };
    struct tool tool = newest();
    const char *const args[] = { "babble", NULL };
    struct tool_run run = { .tool = &tool, .program = TOOL_PSQL, .args = args, TOOL_RUN_NONE };
    static const char last[] = "line 29999 of many";
    char end[4096] = "";
    struct stat st;

    (void)state;
    assert_int_equal(tool_start(&run, &err), 0);
    assert_int_equal(tool_wait(&run, ERR_RESTORE, &err), -1);
    assert_string_equal(err.message, "psql failed: the cause");
    assert_int_equal(err.class, ERR_RESTORE);
    assert_int_equal(fstat(run.stderr_fd, &st), 0);
    assert_true(st.st_size > 30000000 && st.st_blocks * 512 < 20000000);
    assert_true(pread(run.stderr_fd, end, sizeof end, st.st_size - (off_t)sizeof end) > 0);
    assert_non_null(memmem(end, sizeof end, last, strlen(last)));
    tool_stop(&run);
}

/* Last: a signal once noted stays. In a child, whose result counts. */
static void signal_ends_the_wait(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    if (child == 0) {
        struct err err = { 0 };
        struct tool tool = newest();
        const char *const args[] = { "hang", NULL };
        struct tool_run run = { .tool = &tool, .program = TOOL_PG_DUMP, .args = args, TOOL_RUN_NONE };
        os_signals_catch();
        if (tool_start(&run, &err) < 0)
            _exit(1);
        raise(SIGINT);
        if (tool_wait(&run, ERR_DUMP, &err) == 0 || err.class != ERR_SIGNAL || err.signal != SIGINT)
            _exit(2);
        _exit(run.pid == 0 ? 0 : 3);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Has it ended? Perhaps nobody is there to reap it. */
static bool is_gone(pid_t pid)
{
    char path[64], letter = 'Z';
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    f = fopen(path, "r");
    if (f != NULL && fscanf(f, "%*d %*s %c", &letter) != 1)
        letter = 'Z';
    if (f != NULL)
        fclose(f);
    return letter == 'Z';
}

static void killed_parent_leaves_nothing(void **state)
{
    double limit = clock_monotonic() + 10;
    pid_t parent, tool_pid = 0;
    int ends[2], status;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    parent = fork();
    if (parent == 0) {
        struct err err = { 0 };
        struct tool tool = newest();
        const char *const args[] = { "hang", NULL };
        struct tool_run run = { .tool = &tool, .program = TOOL_PG_DUMP, .args = args, TOOL_RUN_NONE };
        if (tool_start(&run, &err) < 0 || write(ends[1], &run.pid, sizeof run.pid) != sizeof run.pid)
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &tool_pid, sizeof tool_pid), sizeof tool_pid);
    close(ends[0]);
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    while (!is_gone(tool_pid) && clock_monotonic() < limit)
        usleep(1000);
    assert_true(is_gone(tool_pid));
}

/* ---- a host's programs --------------------------------------------------------------------------------------- */

static void write_program(const char *path, const char *script)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(script, f);
    fclose(f);
    chmod(path, 0755);
}

static void host_serves_a_newer_server(void **state)
{
    struct err err = { 0 };
    struct tool tool;

    (void)state;
    write_program("pg_dump", "#!/bin/sh\necho 'pg_dump (PostgreSQL) 99.3 (Debian 99.3-1)'\n");
    assert_int_equal(tool_for_server(990003, ".", &tool, &err), 0);
    assert_int_equal(tool.major, 99);
    assert_string_equal(tool.bindir, ".");
    assert_string_equal(tool_version(&tool), "99");
    assert_int_equal(tool_for_server(1000000, ".", &tool, &err), -1);
    err_clear(&err);
    assert_int_equal(tool_for_archive(17, 99, ".", &tool, &err), 0);
    assert_int_equal(tool_for_server(150000, ".", &tool, &err), 0);
    assert_null(tool.bindir);
    assert_int_equal(tool_for_server(990000, "/nonexistent", &tool, &err), -1);
}

static void host_gets_the_password_in_its_environment(void **state)
{
    struct err err = { 0 };
    struct target *t = target_parse("postgresql://app:sesame@db/shop", &err);
    const struct tool tool = { .major = 99, .bindir = "." };
    const char *const args[] = { "--table=x y", NULL };
    struct tool_run run = { .tool = &tool, .program = TOOL_PG_DUMP, .args = args, .target = t, TOOL_RUN_NONE };
    const char *out;

    (void)state;
    write_program("pg_dump", "#!/bin/sh\necho \"$PGPASSWORD\"\nprintf '%s|' \"$@\"\n");
    out = printed(&run, &err);
    assert_int_equal(err.class, ERR_NONE);
    assert_non_null(strstr(out, "sesame\n"));
    assert_null(strstr(strchr(out, '\n'), "sesame"));
    assert_non_null(strstr(out, "|--table=x y|"));
    run.program = TOOL_PSQL;
    printed(&run, &err);
    assert_int_equal(err.class, ERR_CONFIG);
    assert_non_null(strstr(err.message, "./psql"));
    target_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("a server is dumped by the smallest major that knows it", server_gets_its_own),
        PROMISE("a server that no pg_dump knows is told with what is missing", unknown_server_names_what_is_missing),
        PROMISE("an archive is read by the smallest major that can", archive_gets_the_smallest_that_reads_it),
        PROMISE("the embedded majors and versions are those that were built", majors_are_listed),
        PROMISE("the connection, password included, reaches an embedded program in memory", connection_goes_by_memory),
        PROMISE("a failure is told in the program's words", failure_is_told),
        PROMISE("the child keeps no descriptor of ours", child_has_three_descriptors),
        PROMISE("the user's surroundings do not change what a dump means", surroundings_do_not_matter),
        PROMISE("input and output are what the caller gave, or nothing", input_and_output_are_wired),
        PROMISE("stopping ends the child, even one that ignores SIGTERM", stop_ends_it),
        PROMISE("an avalanche of messages costs no memory, its begin and end are kept", avalanche_is_bounded),
        PROMISE("a signal ends the wait and the child", signal_ends_the_wait),
        PROMISE("a killed sfb leaves no child behind", killed_parent_leaves_nothing),
        PROMISE_IN_DIR("a newer server is served by the host's programs when they are new enough",
                       host_serves_a_newer_server),
        PROMISE_IN_DIR("a host's program has no password in its arguments", host_gets_the_password_in_its_environment),
    };

    return RUN_PROMISES(tests);
}
