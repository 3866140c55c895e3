/* SPDX-License-Identifier: PostgreSQL */
/* smoke.c - a file of SQL statements, each a test. */
#include "core/pg/smoke.h"

#include <string.h>

#include "core/base/os.h"
#include "core/base/text.h"
#include "core/pg/sqltext.h"

#define SMOKE_FILE_MAX (1024 * 1024)
#define SHOWN 100 /* of a statement */
#define BOOLEAN 16

struct statement {
    struct buf sql, shown;
};

/* ---- the file ------------------------------------------------------------------------------------------------ */

static int read_file(const char *path, struct buf *text, struct err *err)
{
    if (os_read_file(path, text, err) == 0)
        return 0;
    err_reclass(err, ERR_CONFIG);
    err_context(err, "smoke tests");
    return -1;
}

/* White space as single spaces, SHOWN bytes at most, no half characters. */
static void put_shown(struct buf *out, const char *text, size_t n)
{
    struct buf line;
    size_t cut;

    buf_init(&line, SMOKE_FILE_MAX + 1);
    for (size_t i = 0; i < n; i++) {
        bool space = strchr(" \t\r\n", text[i]) != NULL;

        if (!space)
            buf_putc(&line, text[i]);
        else if (line.size > 0 && line.data[line.size - 1] != ' ')
            buf_putc(&line, ' ');
    }
    while (line.size > 0 && line.data[line.size - 1] == ' ')
        buf_cut(&line, line.size - 1);
    for (cut = line.size > SHOWN ? SHOWN : line.size;
         cut < line.size && ((unsigned char)line.data[cut] & 0xC0) == 0x80;)
        cut--;
    if (cut < line.size) {
        buf_cut(&line, cut);
        buf_puts(&line, "...");
    }
    text_visible(out, line.data);
    buf_release(&line);
}

/* The next statement that is more than comments; what stands before its first word is not shown. */
static bool next_statement(struct sql_reader *reader, struct statement *s)
{
    struct sql_reader found;

    while (sql_statement(reader, &found)) {
        struct sql_reader words = found;
        struct sql_token first;

        if (sql_next(&words, &first) == SQL_END)
            continue;
        buf_reset(&s->sql);
        buf_reset(&s->shown);
        buf_add(&s->sql, first.text, (size_t)(found.end - first.text));
        put_shown(&s->shown, s->sql.data, s->sql.size);
        return true;
    }
    return false;
}

int smoke_check_file(const char *path, struct err *err)
{
    struct statement s;
    struct sql_reader reader;
    struct buf text;
    int rc = -1;

    buf_init(&text, SMOKE_FILE_MAX);
    buf_init(&s.sql, SMOKE_FILE_MAX);
    buf_init(&s.shown, SMOKE_FILE_MAX);
    if (read_file(path, &text, err) < 0)
        goto out;
    reader = sql_reader(text.data, text.size);
    rc = next_statement(&reader, &s) ? 0 : err_set(err, ERR_CONFIG, "smoke tests: there is no statement in %s", path);
out:
    buf_release(&s.sql);
    buf_release(&s.shown);
    buf_release(&text);
    return rc;
}

/* ---- one test ------------------------------------------------------------------------------------------------ */

/* NULL: it passed. A NULL is not true; no row at all is no answer either. */
static const char *judge(const PGresult *r)
{
    if (PQresultStatus(r) == PGRES_COPY_IN || PQresultStatus(r) == PGRES_COPY_OUT)
        return "a smoke test can't copy to or from the client";
    if (PQresultStatus(r) != PGRES_TUPLES_OK || PQnfields(r) != 1 || PQftype(r, 0) != BOOLEAN)
        return NULL;
    if (PQntuples(r) == 0)
        return "it returned no row, and so nothing that is true";
    for (int i = 0; i < PQntuples(r); i++)
        if (strcmp(PQgetvalue(r, i, 0), "t") != 0)
            return PQgetisnull(r, i, 0) ? "it is null, not true" : "it is false";
    return NULL;
}

/* Back behind the savepoint. -1: that transaction is over, or the connection. */
static int settle(PGconn *c, bool passed, struct err *err)
{
    if (PQtransactionStatus(c) == PQTRANS_IDLE)
        return err_set(err, ERR_PROOF, "a smoke test ended the transaction that all of them share");
    return conn_exec(c, ERR_PROOF, err, passed ? "RELEASE SAVEPOINT sfb_smoke" : "ROLLBACK TO SAVEPOINT sfb_smoke");
}

static int run_statement(PGconn *c, const struct statement *s, const struct smoke_params *p, struct err *err)
{
    struct smoke_test test = { .statement = s->shown.data, .detail = "" };
    struct err why = { 0 };
    const char *reason = NULL;
    PGresult *r = NULL;
    int rc = -1;

    if (buf_check(&s->sql, err) < 0 || conn_exec(c, ERR_PROOF, err, "SAVEPOINT sfb_smoke") < 0)
        return -1;
    r = conn_query(c, ERR_PROOF, &why, s->sql.data, 0, NULL);
    if (r == NULL && (why.class == ERR_SIGNAL || why.class == ERR_INTERNAL || PQstatus(c) != CONNECTION_OK)) {
        *err = why;
        goto out;
    }
    reason = r == NULL ? why.message : judge(r);
    if (r != NULL && (PQresultStatus(r) == PGRES_COPY_IN || PQresultStatus(r) == PGRES_COPY_OUT))
        err_set(err, ERR_PROOF, "%s", reason); /* the connection is in the middle of it, and good for nothing more */
    else
        rc = settle(c, reason == NULL, err);
    if (rc < 0 && PQstatus(c) == CONNECTION_OK && err->class == ERR_PROOF)
        reason = err->message;
    test.passed = reason == NULL;
    test.detail = reason != NULL ? reason : "";
    p->tell(p->cookie, &test);
out:
    PQclear(r);
    return rc;
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

static int run_all(PGconn *c, const struct smoke_params *p, const struct buf *text, struct err *err)
{
    struct sql_reader reader = sql_reader(text->data, text->size);
    struct statement s;
    int rc = 0;

    buf_init(&s.sql, SMOKE_FILE_MAX);
    buf_init(&s.shown, SMOKE_FILE_MAX);
    while (rc == 0 && next_statement(&reader, &s))
        rc = run_statement(c, &s, p, err);
    buf_release(&s.sql);
    buf_release(&s.shown);
    return rc;
}

int smoke_run(const struct smoke_params *p, struct err *err)
{
    struct buf text;
    PGconn *c = NULL;
    int rc = -1;

    buf_init(&text, SMOKE_FILE_MAX);
    if (read_file(p->path, &text, err) < 0)
        goto out;
    c = conn_open(p->target, NULL, err);
    if (c == NULL || conn_exec(c, ERR_PROOF, err, "RESET search_path; BEGIN") < 0 ||
        conn_execf(c, ERR_PROOF, err, "SET LOCAL statement_timeout = '%us'", p->seconds) < 0)
        goto out;
    rc = run_all(c, p, &text, err);
    conn_exec(c, ERR_PROOF, &(struct err){ 0 }, "ROLLBACK");
out:
    conn_close(c);
    buf_release(&text);
    return rc;
}
