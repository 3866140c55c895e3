/* SPDX-License-Identifier: PostgreSQL */
/* program.c - a program of the host, from start to end. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "core/base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/os.h"

#define SLICE_MS 100
#define KEPT_BYTES ((off_t)256 * 1024) /* of its words, at their begin and at their end */
#define CANT_RUN 127

/* ---- the child ----------------------------------------------------------------------------------------------- */

/* The last words of a child that could not become the program. */
static void give_up(const char *doing, const char *what)
{
    dprintf(STDERR_FILENO, "%s %s: %s\n", doing, what, strerror(errno));
    _exit(CANT_RUN);
}

static void become(const struct program_user *as)
{
    if (setgroups(1, &as->gid) < 0 || setgid(as->gid) < 0 || setuid(as->uid) < 0)
        give_up("can't run as", as->name);
}

static void child(const struct program *p, pid_t parent)
{
    const int fds[3] = { -1, p->words, p->words };
    char *const *argv = (char *const *)(uintptr_t)p->argv; /* execve only reads it */
    char *const *environment = p->environment != NULL ? (char *const *)(uintptr_t)p->environment : environ;

    os_signals_default();
    setsid(); /* what a terminal sends is for us to pass on */
    if (os_child_descriptors(fds) < 0)
        _exit(CANT_RUN);
    if (p->as != NULL)
        become(p->as);
    if (p->directory != NULL && chdir(p->directory) < 0)
        give_up("can't enter", p->directory);
    if (prctl(PR_SET_PDEATHSIG, p->dies_by) < 0 || getppid() != parent) /* a change of user would have cleared it */
        _exit(CANT_RUN);
    execve(argv[0], argv, environment);
    give_up("can't run", argv[0]);
}

int program_start(struct program *p, struct err *err)
{
    pid_t parent = getpid(), pid;

    p->pid = 0;
    p->words = -1;
    if (os_check_interrupt(err) < 0)
        return -1;
    p->words = memfd_create("sfb-words", MFD_CLOEXEC);
    if (p->words < 0 || fcntl(p->words, F_SETFL, O_APPEND) < 0) {
        err_errno(err, "no memory file for what %s says", os_basename(p->argv[0]));
        goto fail;
    }
    fflush(NULL); /* or the child writes it again */
    pid = fork();
    if (pid == 0)
        child(p, parent);
    if (pid < 0) {
        err_errno(err, "can't start %s", os_basename(p->argv[0]));
        goto fail;
    }
    p->pid = pid;
    return 0;
fail:
    program_stop(p, SIGKILL, 0);
    return -1;
}

/* ---- its end ------------------------------------------------------------------------------------------------- */

/* The middle of what it says is given back: whoever talks without end must not fill the memory. */
static void bound_words(const struct program *p)
{
    struct stat st;

    if (fstat(p->words, &st) == 0 && st.st_size > 4 * KEPT_BYTES)
        fallocate(p->words, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, KEPT_BYTES, st.st_size - 2 * KEPT_BYTES);
}

/* What it left running in its group is ended before it is reaped: until then nobody else can have its number. */
bool program_ended(struct program *p, int *status)
{
    siginfo_t info = { 0 };

    bound_words(p);
    if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0)
        return false;
    kill(-p->pid, SIGKILL);
    *status = 0;
    while (waitpid(p->pid, status, 0) < 0 && errno == EINTR)
        ;
    p->pid = 0;
    return true;
}

/* Until it has ended, or a slice of time or a signal has come. */
static void wait_slice(int pidfd)
{
    struct pollfd p = { .fd = pidfd, .events = POLLIN };

    poll(&p, pidfd >= 0 ? 1 : 0, pidfd >= 0 ? SLICE_MS : SLICE_MS / 10);
}

static int open_pidfd(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0U);
#else
    (void)pid;
    return -1;
#endif
}

int program_wait(struct program *p, double seconds, int *status, struct err *err)
{
    double deadline = clock_monotonic() + seconds;
    int pidfd = open_pidfd(p->pid), rc = 0;

    while (!program_ended(p, status)) {
        if (os_check_interrupt(err) < 0)
            rc = -1;
        else if (seconds > 0 && clock_monotonic() > deadline)
            rc = 1;
        if (rc != 0)
            break;
        wait_slice(pidfd);
    }
    if (pidfd >= 0)
        close(pidfd);
    return rc;
}

/* kill() of the whole session's group: the child may not have got to its setsid() yet. */
static void signal_all(pid_t pid, int signal)
{
    if (kill(-pid, signal) < 0)
        kill(pid, signal);
    kill(-pid, SIGCONT);
}

void program_stop(struct program *p, int signal, double grace)
{
    double deadline = clock_monotonic() + grace;
    int status;

    if (p->pid > 0) {
        signal_all(p->pid, signal);
        while (!program_ended(p, &status)) {
            if (clock_monotonic() > deadline)
                signal_all(p->pid, SIGKILL);
            poll(NULL, 0, SLICE_MS / 10);
        }
    }
    if (p->words >= 0)
        close(p->words);
    p->words = -1;
}

/* ---- what it said -------------------------------------------------------------------------------------------- */

void program_tail(const struct program *p, struct buf *out)
{
    size_t room = out->max > out->size + 1 ? out->max - out->size - 1 : 0;
    struct stat st;
    size_t n;
    char *to;

    if (p->words < 0 || fstat(p->words, &st) < 0)
        return;
    n = (uint64_t)st.st_size < room ? (size_t)st.st_size : room;
    to = n > 0 ? buf_reserve(out, n) : NULL;
    if (to != NULL) {
        ssize_t got = pread(p->words, to, n, st.st_size - (off_t)n);
        buf_commit(out, got > 0 ? (size_t)got : 0);
    }
}

void program_describe(struct buf *out, int status)
{
    if (WIFSIGNALED(status))
        buf_printf(out, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        buf_printf(out, "exit code %d", WEXITSTATUS(status));
}

bool program_find_user(const char *name, struct program_user *out)
{
    const struct passwd *entry = getpwnam(name);

    if (entry == NULL)
        return false;
    snprintf(out->name, sizeof out->name, "%s", entry->pw_name);
    out->uid = entry->pw_uid;
    out->gid = entry->pw_gid;
    return true;
}
