/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/io/deflate.h"
#include "core/pg/preflight.h"

#define PIPE_SIZE (1024 * 1024)
#define READ_SIZE (256 * 1024)

/* What makes the text of a dump the same whatever the role's or the database's settings say. pg_dump itself sets
 * DateStyle, IntervalStyle and extra_float_digits, but neither of these. */
static const char dump_session[] = "-c TimeZone=UTC -c bytea_output=hex";

struct dump {
    struct dump_params params;
    PGconn *conn; /* holds the snapshot */
    char *snapshot;
    struct tool tool;
    struct preflight_facts found;
    struct dump_facts facts;
    char lock_timeout[32];
    char encoding[64];
};

/* ---- opening --------------------------------------------------------------------------------------------------- */

static int export_snapshot(struct dump *d, struct err *err)
{
    PGresult *r = NULL;
    int rc = -1;

    if (conn_exec(d->conn, ERR_DUMP, err, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY") < 0)
        goto out;
    r = conn_query(d->conn, ERR_DUMP, err, "SELECT pg_catalog.pg_export_snapshot()", 0, NULL);
    if (r == NULL)
        goto out;
    d->snapshot = strdup(PQgetvalue(r, 0, 0));
    if (d->snapshot == NULL) {
        err_no_memory(err);
        goto out;
    }
    d->facts.snapshot_at = clock_now();
    rc = 0;
out:
    PQclear(r);
    return rc;
}

struct dump *dump_open(const struct dump_params *params, struct err *err)
{
    struct dump *d = calloc(1, sizeof *d);

    if (d == NULL) {
        err_no_memory(err);
        return NULL;
    }
    d->params = *params;
    snprintf(d->lock_timeout, sizeof d->lock_timeout, "--lock-wait-timeout=%ds", params->lock_timeout);

    d->conn = conn_open(params->target, NULL, err);
    if (d->conn == NULL)
        goto fail;
    if (tool_for_server(PQserverVersion(d->conn), params->bindir, &d->tool, err) < 0)
        goto fail;
    if (conn_execf(d->conn, ERR_DUMP, err, "SET lock_timeout = '%ds'", params->lock_timeout) < 0)
        goto fail;
    if (preflight_read(d->conn, &d->found, err) < 0)
        goto fail;
    if (params->check_privileges && preflight_privileges(d->conn, err) < 0)
        goto fail;
    d->facts = d->found.facts;
    if (export_snapshot(d, err) < 0)
        goto fail;
    if (preflight_position(d->conn, &d->found, err) < 0) /* in the snapshot's transaction */
        goto fail;
    d->facts.lsn = d->found.facts.lsn;
    snprintf(d->encoding, sizeof d->encoding, "--encoding=%s", d->facts.encoding);
    return d;
fail:
    dump_close(d);
    return NULL;
}

const struct dump_facts *dump_get_facts(const struct dump *d)
{
    return &d->facts;
}

const struct tool *dump_tool(const struct dump *d)
{
    return &d->tool;
}

void dump_close(struct dump *d)
{
    if (d == NULL)
        return;
    conn_close(d->conn);
    preflight_release(&d->found);
    free(d->snapshot);
    free(d);
}

/* ---- pipes ----------------------------------------------------------------------------------------------------- */

struct pipe_pair {
    int out, in;
}; /* read from out what was written to in */
#define PIPE_NONE \
    {             \
        -1, -1    \
    }

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void pipe_close(struct pipe_pair *p)
{
    close_fd(&p->out);
    close_fd(&p->in);
}

static int pipe_open(struct pipe_pair *p, struct err *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, "can't make a pipe");
    p->out = fds[0];
    p->in = fds[1];
    (void)fcntl(p->in, F_SETPIPE_SZ, PIPE_SIZE); /* larger is faster; an unprivileged user's quota may refuse it */
    return 0;
}

/* ---- custom format --------------------------------------------------------------------------------------------- */

static int start_pg_dump(struct dump *d, struct tool_run *run, const char *snapshot_option, const char **args,
                         int out_fd, struct err *err)
{
    int n = 0;

    args[n++] = "--format=custom";
    args[n++] = "--compress=0";
    args[n++] = snapshot_option;
    args[n++] = d->encoding; /* a role may have another one set */
    if (d->params.lock_timeout > 0)
        args[n++] = d->lock_timeout;
    if (log_is_verbose())
        args[n++] = "--verbose";
    args[n] = NULL;

    run->tool = &d->tool;
    run->program = TOOL_PG_DUMP;
    run->args = args;
    run->target = d->params.target;
    run->session_options = dump_session;
    run->stdout_fd = out_fd;
    return tool_start(run, err);
}

/* Two things failed, or one because of the other: keeps in err the one that is the cause. What the tool says explains
 * a stream that ended early (ERR_DUMP); but a full disk or a signal, say, is why we stopped reading, and the tool only
 * saw its pipe close. */
static void prefer_cause(struct err *err, const struct err *tool_err)
{
    if (tool_err->class != ERR_NONE && err->class == ERR_DUMP)
        *err = *tool_err;
}

int dump_write_archive(struct dump *d, const struct transcode_params *params, struct transcode_result *result,
                       struct err *err)
{
    struct transcode_params p = *params;
    struct tool_run run = { TOOL_RUN_NONE };
    struct pipe_pair from_dump = PIPE_NONE;
    struct err tool_err = { 0 };
    char *snapshot_option = NULL;
    const char *args[8];
    bool transcoded = false;
    int rc = -1;

    if (asprintf(&snapshot_option, "--snapshot=%s", d->snapshot) < 0) {
        snapshot_option = NULL;
        err_no_memory(err);
        goto out;
    }
    if (pipe_open(&from_dump, err) < 0)
        goto out;
    if (start_pg_dump(d, &run, snapshot_option, args, from_dump.in, err) < 0)
        goto out;
    close_fd(&from_dump.in);

    p.in_fd = from_dump.out;
    transcoded = transcode(&p, result, err) == 0;
    close_fd(&from_dump.out); /* a pg_dump that still writes ends now */
    if (tool_wait(&run, ERR_DUMP, &tool_err) < 0) {
        if (transcoded)
            err_set(err, ERR_DUMP, "%s", "pg_dump failed");
        prefer_cause(err, &tool_err);
        goto out;
    }
    rc = transcoded ? 0 : -1;
out:
    if (rc < 0 && transcoded)
        transcode_result_release(result);
    tool_stop(&run);
    pipe_close(&from_dump);
    free(snapshot_option);
    return rc;
}

/* ---- plain SQL ------------------------------------------------------------------------------------------------- */

/* The thread at the end of the line: pg_restore's text goes into the file, gzipped or not. */
struct sql_tail {
    int in_fd;
    const struct transcode_params *params;
    struct err err;
    int rc;
};

static int tail_copy(struct sql_tail *t, struct gzip_writer *gzip, char *piece)
{
    for (;;) {
        ssize_t n = read(t->in_fd, piece, READ_SIZE);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(&t->err, "can't read what pg_restore writes");
        if (n == 0)
            return gzip != NULL ? gzip_writer_finish(gzip, &t->err) : 0;
        if ((gzip != NULL ? gzip_writer_put(gzip, piece, (size_t)n, &t->err)
                          : t->params->sink.write(t->params->sink.cookie, piece, (size_t)n, &t->err)) < 0)
            return -1;
    }
}

static void *tail_main(void *arg)
{
    struct sql_tail *t = arg;
    struct gzip_writer *gzip = NULL;
    char *piece = malloc(READ_SIZE);

    t->rc = -1;
    if (piece == NULL) {
        err_no_memory(&t->err);
        goto out;
    }
    if (t->params->level > 0) {
        gzip = gzip_writer_new(t->params->level, t->params->jobs, t->params->sink.write, t->params->sink.cookie,
                               &t->err);
        if (gzip == NULL)
            goto out;
    }
    t->rc = tail_copy(t, gzip, piece);
out:
    gzip_writer_free(gzip);
    free(piece);
    close_fd(&t->in_fd); /* on failure pg_restore's next write fails, and so the whole line ends */
    return NULL;
}

static int pipe_sink(void *cookie, const void *bytes, size_t n, struct err *err)
{
    const int *fd = cookie;

    return os_write(*fd, bytes, n, "the pipe to pg_restore", err);
}

struct sql_line { /* pg_dump -> transcoder -> pg_restore -> tail */
    struct pipe_pair from_dump, to_restore, from_restore;
    struct tool_run dump, restore;
    char *snapshot_option;
    const char *dump_args[8];
};

static int sql_line_start(struct dump *d, struct sql_line *line, struct err *err)
{
    static const char *const restore_args[] = { "--file=-", NULL };

    if (asprintf(&line->snapshot_option, "--snapshot=%s", d->snapshot) < 0) {
        line->snapshot_option = NULL;
        return err_no_memory(err);
    }
    if (pipe_open(&line->from_dump, err) < 0 || pipe_open(&line->to_restore, err) < 0 ||
        pipe_open(&line->from_restore, err) < 0)
        return -1;

    line->restore = (struct tool_run){ TOOL_RUN_NONE };
    line->restore.tool = &d->tool;
    line->restore.program = TOOL_PG_RESTORE;
    line->restore.args = restore_args;
    line->restore.stdin_fd = line->to_restore.out;
    line->restore.stdout_fd = line->from_restore.in;
    if (tool_start(&line->restore, err) < 0)
        return -1;
    close_fd(&line->to_restore.out);
    close_fd(&line->from_restore.in);

    line->dump = (struct tool_run){ TOOL_RUN_NONE };
    if (start_pg_dump(d, &line->dump, line->snapshot_option, line->dump_args, line->from_dump.in, err) < 0)
        return -1;
    close_fd(&line->from_dump.in);
    return 0;
}

static void sql_line_stop(struct sql_line *line)
{
    tool_stop(&line->dump);
    tool_stop(&line->restore);
    pipe_close(&line->from_dump);
    pipe_close(&line->to_restore);
    pipe_close(&line->from_restore);
    free(line->snapshot_option);
}

/* The causes in the order in which they break the line: a full disk at its end, a failed pg_restore, a failed pg_dump. */
static int sql_line_end(struct sql_line *line, struct sql_tail *tail, bool transcoded, struct err *err)
{
    struct err dump_err = { 0 }, restore_err = { 0 };
    int dump_rc = tool_wait(&line->dump, ERR_DUMP, &dump_err);
    int restore_rc = tool_wait(&line->restore, ERR_DUMP, &restore_err);

    if (transcoded && tail->rc == 0 && dump_rc == 0 && restore_rc == 0)
        return 0;
    if (err->class == ERR_SIGNAL)
        return -1;
    if (tail->rc < 0)
        *err = tail->err;
    else if (restore_rc < 0 && err->class == ERR_IO) /* our write to it failed because it had ended */
        *err = restore_err;
    else if (dump_rc < 0)
        *err = dump_err;
    else if (restore_rc < 0)
        *err = restore_err;
    return -1;
}

int dump_write_sql(struct dump *d, const struct transcode_params *params, struct transcode_result *result,
                   struct err *err)
{
    struct sql_line line = { PIPE_NONE, PIPE_NONE, PIPE_NONE, { TOOL_RUN_NONE }, { TOOL_RUN_NONE }, NULL, { NULL } };
    struct sql_tail tail = { .params = params };
    struct transcode_params p = *params;
    bool transcoded = false;
    pthread_t thread;
    int rc = -1;

    if (sql_line_start(d, &line, err) < 0)
        goto out;
    tail.in_fd = line.from_restore.out;
    line.from_restore.out = -1; /* the tail's now */
    if (pthread_create(&thread, NULL, tail_main, &tail) != 0) {
        close_fd(&tail.in_fd);
        err_set(err, ERR_INTERNAL, "can't start a thread");
        goto out;
    }
    p.method = ARCHIVE_NONE;
    p.level = 0;
    p.in_fd = line.from_dump.out;
    p.sink = (struct transcode_sink){ .write = pipe_sink, .cookie = &line.to_restore.in };
    transcoded = transcode(&p, result, err) == 0;
    close_fd(&line.from_dump.out);
    close_fd(&line.to_restore.in);
    if (!transcoded)
        tool_stop(&line.restore); /* a half archive may make it wait; its text is not wanted any more */
    pthread_join(thread, NULL);
    rc = sql_line_end(&line, &tail, transcoded, err);
out:
    if (rc < 0 && transcoded)
        transcode_result_release(result);
    sql_line_stop(&line);
    return rc;
}

/* ---- globals --------------------------------------------------------------------------------------------------- */

int dump_globals(struct dump *d, int out_fd, struct err *err)
{
    static const char *const args[] = { "--globals-only", "--no-role-passwords", NULL };
    struct tool_run run = { TOOL_RUN_NONE };
    int rc = -1;

    run.tool = &d->tool;
    run.program = TOOL_PG_DUMPALL;
    run.args = args;
    run.target = d->params.target;
    run.stdout_fd = out_fd;
    if (tool_start(&run, err) == 0 && tool_wait(&run, ERR_DUMP, err) == 0)
        rc = 0;
    tool_stop(&run);
    return rc;
}
