/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/smoke.h"

#include <string.h>

#include "core/base/os.h"
#include "core/pg/sqltext.h"

#define SMOKE_FILE_MAX (1024 * 1024)
#define SHOWN 120 /* of a statement, in a message */

static int shown(const struct sql_reader *statement)
{
    size_t n = (size_t)(statement->end - statement->at);

    return n < SHOWN ? (int)n : SHOWN;
}

static void skip_space(struct sql_reader *statement)
{
    while (statement->at < statement->end && strchr(" \t\r\n", *statement->at) != NULL)
        statement->at++;
}

/* One boolean is the test's answer; anything else only has to succeed. */
static bool is_false(const PGresult *r)
{
    const Oid boolean = 16;

    return PQresultStatus(r) == PGRES_TUPLES_OK && PQnfields(r) == 1 && PQntuples(r) == 1 && PQftype(r, 0) == boolean &&
           strcmp(PQgetvalue(r, 0, 0), "t") != 0;
}

static int run_statement(PGconn *c, const struct sql_reader *statement, struct err *err)
{
    struct buf sql;
    PGresult *r = NULL;
    int rc = -1;

    buf_init(&sql, SMOKE_FILE_MAX);
    buf_add(&sql, statement->at, (size_t)(statement->end - statement->at));
    if (buf_check(&sql, err) < 0)
        goto out;
    r = conn_query(c, ERR_PROOF, err, sql.data, 0, NULL);
    if (r == NULL)
        err_context(err, "smoke test failed: %.*s", shown(statement), statement->at);
    else if (is_false(r))
        err_set(err, ERR_PROOF, "smoke test is not true: %.*s", shown(statement), statement->at);
    else
        rc = 0;
out:
    PQclear(r);
    buf_release(&sql);
    return rc;
}

static int run_all(PGconn *c, const struct buf *text, size_t *tests, struct err *err)
{
    struct sql_reader reader = sql_reader(text->data, text->size), statement;

    while (sql_statement(&reader, &statement)) {
        struct sql_reader words = statement;
        struct sql_token first;

        if (sql_next(&words, &first) == SQL_END) /* comments alone */
            continue;
        skip_space(&statement);
        if (run_statement(c, &statement, err) < 0)
            return -1;
        ++*tests;
    }
    return 0;
}

int smoke_run(const struct target *t, const char *path, size_t *tests, struct err *err)
{
    struct err rolled_back = { 0 };
    struct buf text;
    PGconn *c = NULL;
    int rc = -1;

    *tests = 0;
    buf_init(&text, SMOKE_FILE_MAX);
    if (os_read_file(path, &text, err) < 0) {
        err_reclass(err, ERR_CONFIG);
        goto out;
    }
    c = conn_open(t, NULL, err);
    /* search_path as the database has it: the statements are the application's own */
    if (c == NULL || conn_exec(c, ERR_PROOF, err, "RESET search_path; BEGIN") < 0)
        goto out;
    rc = run_all(c, &text, tests, err);
    conn_exec(c, ERR_PROOF, &rolled_back, "ROLLBACK");
out:
    conn_close(c);
    buf_release(&text);
    return rc;
}
