/* SPDX-License-Identifier: PostgreSQL */
/* conn.c - connections whose every wait ends on a signal. */
#include "core/pg/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/pg/conn_refusal.h"

#define SLICE_MS 200       /* a signal that comes between a look and a poll() waits no longer than this */
#define CANCEL_SECONDS 5.0 /* for the server to end a cancelled statement */
#define MAX_SQL (1024 * 1024)

/* ---- waiting ------------------------------------------------------------------------------------------------- */

/* Until the socket is ready, a signal, a slice of time: the caller looks again whichever it was. */
static void wait_slice(PGconn *c, short events)
{
    struct pollfd p = { .fd = PQsocket(c), .events = events };

    poll(&p, p.fd >= 0 ? 1 : 0, SLICE_MS);
}

static bool is_ready(PGconn *c, short events)
{
    struct pollfd p = { .fd = PQsocket(c), .events = events };

    return p.fd < 0 || poll(&p, 1, 0) != 0;
}

/* PQconnectPoll to its end. libpq leaves timeouts to us here. An address that does not answer in time gets its socket
 * shut down, which libpq takes as a failure of that address alone and goes on to the next. */
static int wait_connected(PGconn *c, double seconds, bool *timed_out, struct err *err)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    double deadline = clock_monotonic() + seconds;

    while (next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED) {
        short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        wait_slice(c, events);
        if (os_check_interrupt(err) < 0)
            return -1;
        if (seconds > 0 && clock_monotonic() > deadline && !is_ready(c, events)) {
            *timed_out = true;
            shutdown(PQsocket(c), SHUT_RDWR);
            deadline = clock_monotonic() + seconds;
        }
        if (is_ready(c, events))
            next = PQconnectPoll(c);
    }
    return next == PGRES_POLLING_OK ? 0 : -1;
}

/* ---- cancelling ---------------------------------------------------------------------------------------------- */

static void ask_to_cancel(PGconn *c)
{
#ifdef LIBPQ_HAS_ASYNC_CANCEL
    double deadline = clock_monotonic() + CANCEL_SECONDS;
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    PGcancelConn *request = PQcancelCreate(c);

    if (PQcancelStart(request) == 1)
        while (next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED && clock_monotonic() < deadline) {
            struct pollfd p = { .fd = PQcancelSocket(request),
                                .events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT };
            if (poll(&p, 1, SLICE_MS) > 0)
                next = PQcancelPoll(request);
        }
    PQcancelFinish(request);
#else
    char ignored[256];
    PGcancel *request = PQgetCancel(c);

    if (request != NULL)
        PQcancel(request, ignored, sizeof ignored);
    PQfreeCancel(request);
#endif
}

/* After a signal. The connection may stay busy when the server does not react: it is good for conn_close only. */
static void cancel(PGconn *c)
{
    double deadline = clock_monotonic() + CANCEL_SECONDS;
    PGresult *r;

    ask_to_cancel(c);
    for (;;) {
        while (PQisBusy(c)) {
            if (clock_monotonic() > deadline)
                return;
            wait_slice(c, POLLIN);
            if (PQconsumeInput(c) == 0)
                return;
        }
        r = PQgetResult(c);
        if (r == NULL)
            return;
        PQclear(r);
    }
}

/* ---- statements ---------------------------------------------------------------------------------------------- */

static bool is_failure(const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);

    return status == PGRES_BAD_RESPONSE || status == PGRES_FATAL_ERROR;
}

static bool is_copy(const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);

    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* The last result, or the failed one, or the one that begins a COPY, which is the caller's to carry on. NULL: a signal,
 * with err filled in, or a lost connection. */
static PGresult *collect(PGconn *c, struct err *err)
{
    PGresult *kept = NULL, *r;

    for (;;) {
        while (PQisBusy(c)) {
            wait_slice(c, POLLIN);
            if (os_check_interrupt(err) < 0) {
                cancel(c);
                PQclear(kept);
                return NULL;
            }
            if (PQconsumeInput(c) == 0)
                break; /* PQgetResult tells what happened */
        }
        r = PQgetResult(c);
        if (r == NULL)
            return kept;
        if (kept != NULL && is_failure(kept)) {
            PQclear(r);
            continue;
        }
        PQclear(kept);
        kept = r;
        if (is_copy(r))
            return r;
    }
}

/* r, or NULL and err when it is no success. */
static PGresult *check(PGconn *c, PGresult *r, enum err_class class, struct err *err, const char *sql)
{
    if (r != NULL && !is_failure(r))
        return r;
    if (err->class == ERR_NONE) {
        size_t n = strlen(sql) > 100 ? 100 : strlen(sql);
        conn_fail(err, class, c, r, NULL);
        log_debug("the statement was: %.*s%s", (int)n, sql, sql[n] ? "..." : "");
    }
    PQclear(r);
    return NULL;
}

int conn_exec(PGconn *c, enum err_class class, struct err *err, const char *sql)
{
    PGresult *r = NULL;

    if (os_check_interrupt(err) < 0)
        return -1;
    if (PQsendQuery(c, sql) == 1)
        r = collect(c, err);
    r = check(c, r, class, err, sql);
    if (r == NULL)
        return -1;
    PQclear(r);
    return 0;
}

int conn_execf(PGconn *c, enum err_class class, struct err *err, const char *format, ...)
{
    struct buf sql;
    va_list args;
    int rc = -1;

    buf_init(&sql, MAX_SQL);
    va_start(args, format);
    buf_vprintf(&sql, format, args);
    va_end(args);
    if (buf_check(&sql, err) == 0)
        rc = conn_exec(c, class, err, sql.data);
    buf_release(&sql);
    return rc;
}

PGresult *conn_query(PGconn *c, enum err_class class, struct err *err, const char *sql, int n,
                     const char *const *params)
{
    PGresult *r = NULL;

    if (os_check_interrupt(err) < 0)
        return NULL;
    if (PQsendQueryParams(c, sql, n, NULL, params, NULL, NULL, 0) == 1)
        r = collect(c, err);
    return check(c, r, class, err, sql);
}

int conn_finish(PGconn *c, enum err_class class, struct err *err)
{
    PGresult *r;
    int rc = 0;

    while ((r = PQgetResult(c)) != NULL) {
        if (PQresultStatus(r) != PGRES_COMMAND_OK && rc == 0) {
            conn_fail(err, class, c, r, NULL);
            rc = -1;
        }
        PQclear(r);
    }
    return rc;
}

char *conn_value(PGconn *c, enum err_class class, struct err *err, const char *sql, int n, const char *const *params)
{
    PGresult *r = conn_query(c, class, err, sql, n, params);
    char *value;

    if (r == NULL)
        return NULL;
    value = strdup(PQntuples(r) > 0 && PQnfields(r) > 0 ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    if (value == NULL)
        err_no_memory(err);
    return value;
}

int conn_server_major(PGconn *c)
{
    return PQserverVersion(c) / 10000;
}

/* ---- quoting ------------------------------------------------------------------------------------------------- */

void conn_quote_name(struct buf *out, const char *name)
{
    buf_putc(out, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"')
            buf_putc(out, '"');
        buf_putc(out, *name);
    }
    buf_putc(out, '"');
}

void conn_quote_text(struct buf *out, const char *text)
{
    if (strchr(text, '\\') != NULL) /* the same whatever standard_conforming_strings is */
        buf_puts(out, " E");
    buf_putc(out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            buf_putc(out, *text);
        buf_putc(out, *text);
    }
    buf_putc(out, '\'');
}

/* ---- the session --------------------------------------------------------------------------------------------- */

/* The next word of "-c name=value --name=value": spaces divide, a backslash takes the next character as it is. */
static bool next_word(const char **at, struct buf *word)
{
    buf_reset(word);
    *at += strspn(*at, " \t\n");
    if (**at == '\0')
        return false;
    for (; **at != '\0' && strchr(" \t\n", **at) == NULL; (*at)++) {
        if (**at == '\\' && (*at)[1] != '\0')
            (*at)++;
        buf_putc(word, **at);
    }
    return true;
}

/* Appends ", set_config(...)" for each option. They are set after the connection, because poolers refuse to pass
 * options on at its start. */
static int put_session_options(struct buf *sql, const char *options, struct err *err)
{
    struct buf word;
    int rc = -1;

    buf_init(&word, 4096);
    while (next_word(&options, &word)) {
        char *name = word.data, *value = strchr(name, '=');
        if (strcmp(name, "-c") == 0)
            continue;
        if (text_starts(name, "--")) /* there - stands for _, as on the server's command line */
            for (char *c = name + 2; c < value; c++)
                *c = *c == '-' ? '_' : *c;
        if (text_starts(name, "--") || text_starts(name, "-c"))
            name += 2;
        if (value == NULL || word.failed) {
            err_set(err, ERR_INTERNAL, "a session option is no name=value: %s", word.data);
            goto out;
        }
        *value++ = '\0';
        buf_puts(sql, ", pg_catalog.set_config(");
        conn_quote_text(sql, name);
        buf_puts(sql, ", ");
        conn_quote_text(sql, value);
        buf_puts(sql, ", false)");
    }
    rc = 0;
out:
    buf_release(&word);
    return rc;
}

/* No name resolves to what somebody put into a schema; no setting of the role, the database or the server ends a
 * statement that takes hours; values look the same everywhere. */
static int prepare_session(PGconn *c, const char *options, struct err *err)
{
    const char *encoding = PQparameterStatus(c, "server_encoding");
    struct buf sql;
    int rc = -1;

    buf_init(&sql, MAX_SQL);
    buf_puts(&sql, "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN"
                   " ('statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_session_timeout',"
                   " 'idle_in_transaction_session_timeout');"
                   " SELECT pg_catalog.set_config('TimeZone', 'UTC', false),"
                   " pg_catalog.set_config('DateStyle', 'ISO', false),"
                   " pg_catalog.set_config('IntervalStyle', 'postgres', false),"
                   " pg_catalog.set_config('extra_float_digits', '3', false)");
    if (encoding != NULL && strcmp(encoding, "SQL_ASCII") == 0)
        buf_puts(&sql, ", pg_catalog.set_config('client_encoding', 'SQL_ASCII', false)");
    if (options != NULL && put_session_options(&sql, options, err) < 0)
        goto out;
    if (buf_check(&sql, err) < 0)
        goto out;
    rc = conn_exec(c, ERR_CONNECT, err, /* by itself: a timeout counts for all that is sent together */
                   "SELECT pg_catalog.set_config('search_path', '', false),"
                   " pg_catalog.set_config('statement_timeout', '0', false)");
    if (rc == 0)
        rc = conn_exec(c, ERR_CONNECT, err, sql.data);
    if (rc < 0 && err->class == ERR_CONNECT)
        err_context(err, "connected, but the session can't be set up");
out:
    buf_release(&sql);
    return rc;
}

static void note_notice(void *unused, const PGresult *r)
{
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

    (void)unused;
    log_debug("server: %s", text != NULL ? text : "(a notice without text)");
}

/* ---- opening and closing ------------------------------------------------------------------------------------- */

static PGconn *start(const struct target *t, struct err *err)
{
    char *conninfo = target_conninfo(t, NULL, err), *whole = NULL;
    size_t size = conninfo != NULL ? strlen(conninfo) + 100 : 0;
    PGconn *c = NULL;

    if (conninfo == NULL)
        return NULL;
    whole = malloc(size);
    if (whole != NULL) {
        snprintf(whole, size, "%s %s fallback_application_name='sfb'", conninfo,
                 target_get(t, "client_encoding") == NULL ? "client_encoding='UTF8'" : "");
        c = PQconnectStart(whole);
        text_wipe(whole, size);
    }
    text_wipe(conninfo, strlen(conninfo));
    free(conninfo);
    free(whole);
    if (c == NULL)
        err_no_memory(err);
    return c;
}

PGconn *conn_open(const struct target *t, const char *session_options, struct err *err)
{
    const char *limit = target_get(t, "connect_timeout");
    bool timed_out = false;
    int seconds = 15;
    PGconn *c = NULL;

    if (os_check_interrupt(err) < 0)
        return NULL;
    if (limit != NULL && !text_parse_int(limit, 0, 3600, &seconds)) {
        err_set(err, ERR_CONFIG, "connect_timeout must be a number of seconds, 0 to 3600");
        return NULL;
    }
    c = start(t, err);
    if (c == NULL)
        return NULL;
    PQsetErrorVerbosity(c, PQERRORS_VERBOSE); /* so that its errors have their SQLSTATE: words may be of any language */
    PQsetNoticeReceiver(c, note_notice, NULL);
    if (PQstatus(c) == CONNECTION_BAD || wait_connected(c, seconds, &timed_out, err) < 0) {
        if (err->class == ERR_NONE)
            conn_refusal(t, PQerrorMessage(c), timed_out ? seconds : 0, err);
        goto fail;
    }
    PQsetErrorVerbosity(c, PQERRORS_DEFAULT);
    if (prepare_session(c, session_options, err) < 0)
        goto fail;
    return c;
fail:
    PQfinish(c);
    return NULL;
}

void conn_close(PGconn *c)
{
    PQfinish(c);
}

/* ---- failures ------------------------------------------------------------------------------------------------ */

/* Appends text in one line, n bytes of it at most. */
static void put_line(struct buf *out, const char *text)
{
    bool space = false;

    for (; *text != '\0'; text++) {
        if (strchr(" \t\r\n", *text) != NULL) {
            space = true;
            continue;
        }
        if (space && out->size > 0)
            buf_putc(out, ' ');
        space = false;
        buf_putc(out, *text);
    }
}

void conn_fail(struct err *err, enum err_class class, PGconn *c, const PGresult *r, const char *doing)
{
    const char *primary = r != NULL ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *detail = r != NULL ? PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL) : NULL;
    const char *hint = r != NULL ? PQresultErrorField(r, PG_DIAG_MESSAGE_HINT) : NULL;
    bool lost = c != NULL && PQstatus(c) == CONNECTION_BAD;
    struct buf line;

    if (err->class != ERR_NONE)
        return;
    if (os_check_interrupt(err) < 0)
        return;
    buf_init(&line, 16 * 1024);
    if (doing != NULL)
        buf_printf(&line, "%s: ", doing);
    if (primary == NULL)
        primary = r != NULL ? PQresultErrorMessage(r) : c != NULL ? PQerrorMessage(c) : "";
    put_line(&line, *primary ? primary : "the server gave no reason");
    if (detail != NULL) {
        buf_puts(&line, " (");
        put_line(&line, detail);
        buf_putc(&line, ')');
    }
    err_set(err, class, "%s", line.data);
    if (hint != NULL)
        err_hint(err, "%s", hint);
    else if (lost)
        err_hint(err, "the connection is gone: the server crashed, was restarted, ended this session, or a firewall "
                      "cut it; its log tells which");
    buf_release(&line);
}
