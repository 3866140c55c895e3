/* SPDX-License-Identifier: PostgreSQL */
/* tool_run.c - one of PostgreSQL's programs in a child of its own, from start to end. */
#include "core/pg/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/pg/tool_words.h"

#define SLICE_MS 200
#define GRACE_SECONDS 5.0 /* between SIGTERM and SIGKILL: pg_dump asks the server to cancel meanwhile */
#define MAX_ARGS 256
#define KEPT_BYTES (1024 * 1024) /* of stderr, at its begin and at its end */

/* ---- the command line ---------------------------------------------------------------------------------------- */

struct command {
    char *argv[MAX_ARGS + 8];
    int argc;
    char *conninfo; /* with the password when embedded; wiped */
    char *database; /* pg_dumpall's -l */
};

static void command_release(struct command *c)
{
    if (c->conninfo != NULL)
        text_wipe(c->conninfo, strlen(c->conninfo));
    free(c->conninfo);
    free(c->database);
}

static void push(struct command *c, const char *word)
{
    c->argv[c->argc++] = (char *)(uintptr_t)word; /* programs only read it, and the parent's copy is not theirs */
    c->argv[c->argc] = NULL;
}

/* A database's name, in a form that stays a name even when it looks like a connection string. */
static char *quoted_database(const char *name, struct err *err)
{
    struct buf out;

    buf_init(&out, 4096);
    buf_puts(&out, "dbname='");
    for (; *name != '\0'; name++)
        buf_printf(&out, *name == '\'' || *name == '\\' ? "\\%c" : "%c", *name);
    buf_putc(&out, '\'');
    return buf_take(&out, err);
}

static int command_make(struct command *c, const struct tool_run *run, struct err *err)
{
    bool host = run->tool->bindir != NULL;

    push(c, tool_name(run->program));
    if (run->target != NULL) {
        c->conninfo = host ? target_conninfo_public(run->target, run->session_options, err)
                           : target_conninfo(run->target, run->session_options, err);
        if (c->conninfo == NULL)
            return -1;
        push(c, "--no-password"); /* nobody is there to type it */
        push(c, "-d");
        push(c, c->conninfo);
    }
    for (size_t i = 0; run->args != NULL && run->args[i] != NULL; i++) {
        if (i == MAX_ARGS)
            return err_set(err, ERR_INTERNAL, "too many arguments for %s", tool_name(run->program));
        push(c, run->args[i]);
    }
    if (run->target != NULL && run->program == TOOL_PG_DUMPALL) { /* else it insists on the database "postgres" */
        c->database = quoted_database(target_database(run->target), err);
        if (c->database == NULL)
            return -1;
        push(c, "-l");
        push(c, c->database);
    }
    return 0;
}

/* ---- in the child -------------------------------------------------------------------------------------------- */

/* Nothing of the user's surroundings may change what a dump means or how its messages read. What his URL says stays. */
static void set_environment(const struct tool_run *run)
{
    static const char *const unwanted[] = { "PGCLIENTENCODING", "PGDATESTYLE",     "PGGEQO",
                                            "PSQLRC",           "PSQL_PAGER",      "PAGER",
                                            "PSQL_HISTORY",     "PG_TEST_NO_SYNC", "COMP_KEYWORD_CASE" };
    const char *password = run->target != NULL ? target_get(run->target, "password") : NULL;

    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
        unsetenv(unwanted[i]);
    setenv("LC_ALL", "C", 1);
    setenv("TZ", "UTC", 1); /* an archive's date is in it, without saying so */
    setenv("PGTZ", "UTC", 1);
    setenv("PG_COLOR", "never", 1);
    setenv("PGAPPNAME", "sfb", 0);
    if (run->tool->bindir != NULL && password != NULL)
        setenv("PGPASSWORD", password, 1);
}

static void child(struct command *c, const struct tool_run *run, pid_t parent)
{
    const int fds[3] = { run->stdin_fd, run->stdout_fd, run->stderr_fd };

    os_signals_default();
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent || os_child_descriptors(fds) < 0)
        _exit(126); /* or the parent died before it could take us along */
    set_environment(run);
    /* Who has had threads locks stdout for every byte, and pg_dump writes the length of each row byte by byte: a lock
     * that is held costs nothing. It is alone here, and starts no processes of its own. */
    if (run->program == TOOL_PG_DUMP)
        flockfile(stdout);
    exit(tool_main(run->tool, run->program, c->argc, c->argv));
}

/* ---- starting ------------------------------------------------------------------------------------------------ */

static int check_runnable(const struct tool_run *run, struct err *err)
{
    char *path;
    int rc;

    if (run->tool->bindir == NULL)
        return 0;
    path = os_path(run->tool->bindir, tool_name(run->program));
    if (path == NULL)
        return err_no_memory(err);
    rc = access(path, X_OK);
    if (rc < 0)
        err_set(err, ERR_CONFIG, "can't run %s: %s", path, strerror(errno));
    free(path);
    return rc;
}

int tool_start(struct tool_run *run, struct err *err)
{
    struct command c = { 0 };
    pid_t parent = getpid(), pid;
    int rc = -1;

    run->pid = 0;
    run->stderr_fd = -1;
    run->followed = 0;
    if (os_check_interrupt(err) < 0 || check_runnable(run, err) < 0 || command_make(&c, run, err) < 0)
        goto out;
    run->stderr_fd = memfd_create("sfb-messages", MFD_CLOEXEC);
    if (run->stderr_fd < 0 || fcntl(run->stderr_fd, F_SETFL, O_APPEND) < 0) {
        err_errno(err, "no memory file for what %s says", tool_name(run->program));
        goto out;
    }
    fflush(NULL); /* or the child writes it again */
    pid = fork();
    if (pid == 0)
        child(&c, run, parent);
    if (pid < 0) {
        err_errno(err, "can't start %s", tool_name(run->program));
        goto out;
    }
    run->pid = pid;
    rc = 0;
out:
    command_release(&c);
    if (rc < 0)
        tool_stop(run);
    return rc;
}

/* ---- what it says meanwhile ---------------------------------------------------------------------------------- */

/* A program that fails on every row must not fill the memory: the middle of what it says is given back. */
static void bound_messages(const struct tool_run *run)
{
    struct stat st;

    if (fstat(run->stderr_fd, &st) == 0 && st.st_size > 8 * KEPT_BYTES)
        fallocate(run->stderr_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, KEPT_BYTES, st.st_size - 2 * KEPT_BYTES);
}

void tool_follow(struct tool_run *run)
{
    char text[8192];

    while (run->stderr_fd >= 0 && log_is_verbose()) {
        ssize_t n = pread(run->stderr_fd, text, sizeof text - 1, (off_t)run->followed);
        char *line = text, *end;
        if (n <= 0)
            return;
        text[n] = '\0';
        while ((end = memchr(line, '\n', (size_t)(text + n - line))) != NULL) {
            *end = '\0';
            log_debug("%s", line);
            line = end + 1;
        }
        if (line == text && n < (ssize_t)sizeof text - 1)
            return; /* half a line: the rest comes */
        run->followed += (size_t)(line > text ? line - text : n);
    }
}

/* ---- its end ------------------------------------------------------------------------------------------------- */

/* Until the child has ended, or a slice of time or a signal has come. */
static void wait_slice(int pidfd)
{
    struct pollfd p = { .fd = pidfd, .events = POLLIN };

    poll(&p, pidfd >= 0 ? 1 : 0, pidfd >= 0 ? SLICE_MS : SLICE_MS / 10);
}

/* SIGTERM at once when `hasten` or once a signal has come to us, SIGKILL after a grace. Returns the wait status. */
static int reap(struct tool_run *run, bool hasten)
{
    double killing_since = 0;
    bool killed = false;
    int status = 0, pidfd = -1;
    pid_t got;

#ifdef SYS_pidfd_open
    pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0U);
#endif
    while ((got = waitpid(run->pid, &status, WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
        if ((hasten || os_interrupted()) && killing_since == 0) {
            kill(run->pid, SIGTERM);
            kill(run->pid, SIGCONT);
            killing_since = clock_monotonic();
        }
        if (killing_since > 0 && !killed && clock_monotonic() - killing_since > GRACE_SECONDS) {
            kill(run->pid, SIGKILL);
            killed = true;
        }
        tool_follow(run);
        bound_messages(run);
        wait_slice(pidfd);
    }
    if (pidfd >= 0)
        close(pidfd);
    run->pid = 0;
    tool_follow(run);
    bound_messages(run);
    return status;
}

int tool_wait(struct tool_run *run, enum err_class class, struct err *err)
{
    char head[TOOL_WORDS_MAX + 1] = "";
    int status;
    ssize_t n;

    if (run->pid <= 0)
        return err_set(err, ERR_INTERNAL, "%s is not running", tool_name(run->program));
    status = reap(run, false);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (os_check_interrupt(err) < 0)
        return -1;
    n = pread(run->stderr_fd, head, TOOL_WORDS_MAX, 0);
    head[n > 0 ? n : 0] = '\0';
    tool_words(tool_name(run->program), head, status, class, err);
    return -1;
}

void tool_stop(struct tool_run *run)
{
    if (run->pid > 0)
        reap(run, true);
    if (run->stderr_fd >= 0)
        close(run->stderr_fd);
    run->pid = 0;
    run->stderr_fd = -1;
}
