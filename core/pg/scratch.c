/* SPDX-License-Identifier: PostgreSQL */
/* scratch.c - a PostgreSQL server for an hour. */
#include "core/pg/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/program.h"
#include "core/base/text.h"

#define PREFIX "sfb-drill-"
#define PORT "5432" /* part of the socket's name, no port */
#define INIT_SECONDS 300.0
#define UP_SECONDS 120.0
#define QUIT_SECONDS 10.0
#define ABANDONED_SECONDS 86400 /* a directory without a lock is that of a process which was killed at once */

struct scratch {
    char *dir, *data;
    int lock; /* on dir/lock: who has it lives */
    struct program_user user;
    bool drops; /* we are root, and it is not */
    char *environment[8];
    struct program server;
};

/* ---- as whom, and with what ---------------------------------------------------------------------------------- */

static int find_user(struct scratch *s, struct err *err)
{
    s->drops = geteuid() == 0;
    if (!s->drops || program_find_user("postgres", &s->user) || program_find_user("nobody", &s->user))
        return 0;
    err_set(err, ERR_CONFIG, "PostgreSQL refuses to run as root, and this host has neither a user postgres nor nobody");
    err_hint(err, "run the drill as an ordinary user, or without --local");
    return -1;
}

static int put_variable(struct scratch *s, size_t *n, const char *name, const char *value, struct err *err)
{
    if (value == NULL)
        return 0;
    if (asprintf(&s->environment[*n], "%s=%s", name, value) < 0) {
        s->environment[*n] = NULL;
        return err_no_memory(err);
    }
    (*n)++;
    return 0;
}

/* None of our own: no password or key is any business of the server. */
static int make_environment(struct scratch *s, struct err *err)
{
    size_t n = 0;

    return put_variable(s, &n, "PATH", "/usr/local/bin:/usr/bin:/bin", err) < 0 ||
                   put_variable(s, &n, "LC_ALL", "C", err) < 0 || put_variable(s, &n, "TZ", "UTC", err) < 0 ||
                   put_variable(s, &n, "HOME", s->dir, err) < 0 ||
                   put_variable(s, &n, "LD_LIBRARY_PATH", getenv("LD_LIBRARY_PATH"), err) < 0
             ? -1
             : 0;
}

/* ---- its directory ------------------------------------------------------------------------------------------- */

/* -1: somebody has it (or it is not ours: errno). */
static int take_lock(const char *dir, int flags)
{
    char *path = os_path(dir, "lock");
    int fd = path != NULL ? open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600) : -1, why = errno;

    free(path);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        why = errno;
        close(fd);
        fd = -1;
    }
    errno = why;
    return fd;
}

static int make_directory(struct scratch *s, const char *work_dir, struct err *err)
{
    char *whole = realpath(work_dir, NULL), *template = NULL;
    int rc = -1;

    if (whole == NULL)
        return err_errno(err, "can't enter %s", work_dir);
    if (strlen(whole) + sizeof "/" PREFIX "XXXXXX/.s.PGSQL." PORT > sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
        err_set(err, ERR_CONFIG, "the path of the work directory is too long to have a socket in it: %s", whole);
        err_hint(err, "set SFB_WORK_DIR to a directory with a shorter path");
        goto out;
    }
    if (asprintf(&template, "%s/%sXXXXXX", whole, PREFIX) < 0) {
        template = NULL;
        err_no_memory(err);
        goto out;
    }
    if (mkdtemp(template) == NULL) {
        err_errno(err, "can't make a directory in %s", whole);
        goto out;
    }
    s->dir = template;
    template = NULL;
    s->data = os_path(s->dir, "data");
    s->lock = take_lock(s->dir, O_CREAT);
    if (s->data == NULL)
        err_no_memory(err);
    else if (s->lock < 0 || (s->drops && chown(s->dir, s->user.uid, s->user.gid) < 0))
        err_errno(err, "can't make %s ready", s->dir);
    else
        rc = 0;
out:
    free(template);
    free(whole);
    return rc;
}

/* ---- its life ------------------------------------------------------------------------------------------------ */

/* Its last words, in one line. */
static void last_words(const struct program *p, struct buf *out)
{
    struct buf words;

    buf_init(&words, 600);
    program_tail(p, &words);
    for (size_t i = 0; i < words.size; i++)
        if (words.data[i] == '\n')
            words.data[i] = ' ';
    text_visible(out, words.data);
    buf_release(&words);
}

static int failed(const struct scratch *s, const struct program *p, enum err_class class, const char *what,
                  struct err *err)
{
    struct buf words;

    buf_init(&words, 900);
    last_words(p, &words);
    err_set(err, class, "%s failed: %s", what, words.size > 0 ? words.data : "it gave no reason");
    if (strstr(words.data, "can't enter") != NULL)
        err_hint(err,
                 "user %s must be able to enter the work directory: chmod o+x on it and those above it, or set "
                 "SFB_WORK_DIR to another",
                 s->user.name);
    else if (strstr(words.data, "can't run as") != NULL)
        err_hint(err, "root may not change its user here: run the drill as an ordinary user, or without --local");
    buf_release(&words);
    return -1;
}

static struct program program_of(const struct scratch *s, const char *const *argv)
{
    return (struct program){ .argv = argv,
                             .environment = (const char *const *)s->environment,
                             .directory = s->dir,
                             .as = s->drops ? &s->user : NULL,
                             .dies_by = SIGQUIT, /* PostgreSQL's word for: at once */
                             PROGRAM_NOTHING_RUNS };
}

static int init(const struct scratch *s, const struct hostpg *programs, struct err *err)
{
    char *path = os_path(programs->bindir, "initdb");
    const char *const argv[] = { path,         "-D",       s->data,
                                 "-U",         "postgres", "-A",
                                 "trust",      "-E",       "UTF8",
                                 "--locale=C", "-N",       programs->major >= 18 ? "--no-data-checksums" : NULL,
                                 NULL };
    struct program p = program_of(s, argv);
    int status = 0, waited, rc = -1;

    if (path == NULL)
        return err_no_memory(err);
    if (program_start(&p, err) < 0)
        goto out;
    waited = program_wait(&p, INIT_SECONDS, &status, err);
    if (waited > 0)
        err_set(err, ERR_CONNECT, "initdb takes longer than %.0f seconds", INIT_SECONDS);
    else if (waited == 0 && status != 0)
        failed(s, &p, ERR_CONFIG, "initdb", err);
    else if (waited == 0)
        rc = 0;
out:
    program_stop(&p, SIGKILL, 0);
    free(path);
    return rc;
}

/* Until it takes a connection. */
static int wait_up(struct scratch *s, struct err *err)
{
    double deadline = clock_monotonic() + UP_SECONDS;
    struct target *t = scratch_target(s, "postgres", err);
    PGconn *c = NULL;
    int status = 0, rc = -1;

    if (t == NULL)
        return -1;
    while (rc < 0) {
        struct err refused = { 0 };

        c = conn_open(t, NULL, &refused);
        if (c != NULL) {
            rc = 0;
        } else if (os_check_interrupt(err) < 0) {
            break;
        } else if (program_ended(&s->server, &status)) {
            failed(s, &s->server, ERR_CONNECT, "the throwaway server", err);
            break;
        } else if (clock_monotonic() > deadline) {
            err_set(err, ERR_CONNECT, "the throwaway server does not answer: %s", refused.message);
            break;
        } else {
            poll(NULL, 0, 20);
        }
    }
    conn_close(c);
    target_free(t);
    return rc;
}

/* Nothing here must survive a crash; and shared memory is in files, as a container's /dev/shm may be tiny. */
static int boot(struct scratch *s, const struct hostpg *programs, unsigned jobs, struct err *err)
{
    char *path = os_path(programs->bindir, "postgres"), connections[40];
    const char *const argv[] = { path,
                                 "-D",
                                 s->data,
                                 "-k",
                                 s->dir,
                                 "-c",
                                 "listen_addresses=",
                                 "-p",
                                 PORT,
                                 "-c",
                                 "unix_socket_permissions=0700",
                                 "-c",
                                 connections,
                                 "-c",
                                 "fsync=off",
                                 "-c",
                                 "synchronous_commit=off",
                                 "-c",
                                 "full_page_writes=off",
                                 "-c",
                                 "wal_level=minimal",
                                 "-c",
                                 "max_wal_senders=0",
                                 "-c",
                                 "autovacuum=off",
                                 "-c",
                                 "max_wal_size=4GB",
                                 "-c",
                                 "checkpoint_timeout=1h",
                                 "-c",
                                 "shared_buffers=256MB",
                                 "-c",
                                 "maintenance_work_mem=128MB",
                                 "-c",
                                 "max_locks_per_transaction=512",
                                 "-c",
                                 "dynamic_shared_memory_type=mmap",
                                 "-c",
                                 "jit=off",
                                 "-c",
                                 "log_min_messages=fatal",
                                 "-c",
                                 "logging_collector=off",
                                 NULL };
    int rc = -1;

    if (path == NULL)
        return err_no_memory(err);
    snprintf(connections, sizeof connections, "max_connections=%u", 20 + 2 * jobs);
    s->server = program_of(s, argv);
    if (program_start(&s->server, err) == 0)
        rc = wait_up(s, err);
    s->server.argv = NULL; /* it is running: they were only needed to start it */
    free(path);
    return rc;
}

struct scratch *scratch_start(const char *work_dir, const struct hostpg *programs, unsigned jobs, struct err *err)
{
    struct scratch *s = calloc(1, sizeof *s);

    if (s == NULL) {
        err_no_memory(err);
        return NULL;
    }
    s->lock = -1;
    s->server.words = -1;
    if (find_user(s, err) == 0 && make_directory(s, work_dir, err) == 0 && make_environment(s, err) == 0 &&
        init(s, programs, err) == 0 && boot(s, programs, jobs, err) == 0)
        return s;
    scratch_stop(s);
    return NULL;
}

/* Every keyword that a variable of libpq's could fill in to the worse has a value of its own. */
struct target *scratch_target(const struct scratch *s, const char *database, struct err *err)
{
    struct buf conninfo;
    struct target *whole = NULL, *t = NULL;

    buf_init(&conninfo, 8192);
    buf_puts(&conninfo, "host='");
    for (const char *c = s->dir; *c != '\0'; c++) {
        if (*c == '\'' || *c == '\\')
            buf_putc(&conninfo, '\\');
        buf_putc(&conninfo, *c);
    }
    buf_puts(&conninfo, "' hostaddr='' port=" PORT " user=postgres dbname=postgres password='' passfile=''"
                        " options='' sslmode=disable gssencmode=disable channel_binding=disable"
                        " target_session_attrs=any");
    if (buf_check(&conninfo, err) == 0)
        whole = target_parse(conninfo.data, err);
    if (whole != NULL)
        t = target_with_database(whole, database, err);
    target_free(whole);
    buf_release(&conninfo);
    return t;
}

void scratch_stop(struct scratch *s)
{
    struct err why = { 0 };

    if (s == NULL)
        return;
    program_stop(&s->server, SIGQUIT, QUIT_SECONDS);
    if (s->dir != NULL && os_remove_tree(s->dir, &why) < 0)
        log_warn("%s is left over: %s", s->dir, why.message);
    if (s->lock >= 0)
        close(s->lock);
    for (size_t i = 0; i < sizeof s->environment / sizeof *s->environment; i++)
        free(s->environment[i]);
    free(s->data);
    free(s->dir);
    free(s);
}

/* ---- what others left ---------------------------------------------------------------------------------------- */

/* Its server dies with its sfb, but may still be at it. That a number in a file is really this server is told by where
 * that process stands. */
static void end_server(const char *dir)
{
    char *data = os_path(dir, "data"), *pidfile = data != NULL ? os_path(data, "postmaster.pid") : NULL;
    char link[64], cwd[PATH_MAX] = "";
    struct err ignored = { 0 };
    struct buf text;
    ssize_t n = -1;
    long pid = 0;

    buf_init(&text, 4096);
    if (pidfile != NULL && os_read_file(pidfile, &text, &ignored) == 0)
        pid = strtol(text.data, NULL, 10);
    if (pid > 1) {
        snprintf(link, sizeof link, "/proc/%ld/cwd", pid);
        n = readlink(link, cwd, sizeof cwd - 1);
    }
    if (n > 0 && strncmp(cwd, data, (size_t)n) == 0 && data[n] == '\0') {
        kill((pid_t)pid, SIGQUIT);
        for (int i = 0; i < 100 && kill((pid_t)pid, 0) == 0; i++)
            poll(NULL, 0, 50);
    }
    buf_release(&text);
    free(pidfile);
    free(data);
}

static void sweep_one(const char *dir)
{
    struct err why = { 0 };
    struct stat st;
    int lock = take_lock(dir, 0);
    bool abandoned = lock < 0 && errno == ENOENT && stat(dir, &st) == 0 &&
                     clock_now() - st.st_mtime > ABANDONED_SECONDS;

    if (lock < 0 && !abandoned)
        return;
    end_server(dir);
    if (os_remove_tree(dir, &why) == 0)
        log_warn("removed what a killed drill left: %s", dir);
    else
        log_warn("a killed drill left %s: %s", dir, why.message);
    if (lock >= 0)
        close(lock);
}

void scratch_sweep(const char *work_dir)
{
    char *whole = realpath(work_dir, NULL);
    DIR *dir = whole != NULL ? opendir(whole) : NULL;
    const struct dirent *e;

    while (dir != NULL && (e = readdir(dir)) != NULL) {
        char *path;

        if (!text_starts(e->d_name, PREFIX) || strlen(e->d_name) != sizeof PREFIX - 1 + 6)
            continue;
        path = os_path(whole, e->d_name);
        if (path != NULL)
            sweep_one(path);
        free(path);
    }
    if (dir != NULL)
        closedir(dir);
    free(whole);
}
