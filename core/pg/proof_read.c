/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/proof_read.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/os.h"

#define SLICE_MS 200
#define OBJECT_PIECE (256 * 1024)
#define OBJECTS_AT_ONCE 64

/* Until the socket has something, or a while: whoever waits looks for signals in between. */
static int wait_input(PGconn *c, struct err *err)
{
    struct pollfd p = { .fd = PQsocket(c), .events = POLLIN };

    poll(&p, p.fd >= 0 ? 1 : 0, SLICE_MS);
    if (os_check_interrupt(err) < 0)
        return -1;
    if (PQconsumeInput(c) == 0) {
        conn_fail(err, ERR_RESTORE, c, NULL, NULL);
        return -1;
    }
    return 0;
}

int proof_read_copy(PGconn *c, const char *sql, struct tally *t, struct err *err)
{
    PGresult *r = conn_query(c, ERR_RESTORE, err, sql, 0, NULL);
    struct tally_stream *s = tally_stream_new();
    const char *part;
    int n, rc = -1;

    if (s == NULL)
        err_no_memory(err);
    if (r == NULL || s == NULL)
        goto out;
    while ((n = PQgetCopyPart(c, &part, 1)) >= 0) {
        tally_stream_text(s, t, part, (size_t)n);
        if (n == 0 && wait_input(c, err) < 0)
            goto out;
    }
    if (n == -1)
        rc = conn_finish(c, ERR_RESTORE, err);
    else
        conn_fail(err, ERR_RESTORE, c, NULL, NULL);
out:
    tally_stream_free(s);
    PQclear(r);
    return rc;
}

/* ---- large objects ----------------------------------------------------------------------------------------------- */

/* Like conn_query, but what comes back is binary: twice as fast as bytea's hexadecimal text. */
static PGresult *query_binary(PGconn *c, const char *sql, int n, const char *const *params, struct err *err)
{
    PGresult *r, *more;

    if (PQsendQueryParams(c, sql, n, NULL, params, NULL, NULL, 1) != 1) {
        conn_fail(err, ERR_RESTORE, c, NULL, NULL);
        return NULL;
    }
    while (PQisBusy(c))
        if (wait_input(c, err) < 0)
            return NULL;
    r = PQgetResult(c);
    while ((more = PQgetResult(c)) != NULL)
        PQclear(more);
    if (r != NULL && PQresultStatus(r) == PGRES_TUPLES_OK)
        return r;
    conn_fail(err, ERR_RESTORE, c, r, NULL);
    PQclear(r);
    return NULL;
}

static uint32_t read_oid(const PGresult *r, int row)
{
    const unsigned char *b = (const unsigned char *)PQgetvalue(r, row, 0);

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The pieces of an object behind its first. */
static int read_rest(PGconn *c, uint32_t oid, struct tally_stream *s, struct tally *t, struct err *err)
{
    uint64_t offset = OBJECT_PIECE;
    int n;

    do {
        char oid_text[16], offset_text[24], size_text[16];
        const char *params[] = { oid_text, offset_text, size_text };
        PGresult *r;

        snprintf(oid_text, sizeof oid_text, "%u", oid);
        snprintf(offset_text, sizeof offset_text, "%llu", (unsigned long long)offset);
        snprintf(size_text, sizeof size_text, "%d", OBJECT_PIECE);
        r = query_binary(c, "SELECT pg_catalog.lo_get($1::pg_catalog.oid, $2::int8, $3::int4)", 3, params, err);
        if (r == NULL)
            return -1;
        n = PQgetlength(r, 0, 0);
        tally_stream_object_data(s, t, PQgetvalue(r, 0, 0), (size_t)n);
        PQclear(r);
        offset += (uint64_t)n;
    } while (n == OBJECT_PIECE);
    return 0;
}

static int read_some(PGconn *c, const PGresult *r, struct tally_stream *s, struct tally *t, struct err *err)
{
    for (int i = 0; i < PQntuples(r); i++) {
        int n = PQgetlength(r, i, 1);

        tally_stream_object_begin(s, read_oid(r, i));
        tally_stream_object_data(s, t, PQgetvalue(r, i, 1), (size_t)n);
        if (n == OBJECT_PIECE && read_rest(c, read_oid(r, i), s, t, err) < 0)
            return -1;
        tally_stream_object_end(s, t);
    }
    return os_check_interrupt(err);
}

int proof_read_objects(PGconn *c, struct tally *t, struct err *err)
{
    struct tally_stream *s = tally_stream_new();
    char sql[300], after[16] = "0";
    PGresult *r = NULL;
    int rc = -1, n;

    if (s == NULL)
        return err_no_memory(err);
    snprintf(sql, sizeof sql,
             "SELECT oid, pg_catalog.lo_get(oid, 0, %d) FROM pg_catalog.pg_largeobject_metadata"
             " WHERE oid > $1::pg_catalog.oid ORDER BY oid LIMIT %d",
             OBJECT_PIECE, OBJECTS_AT_ONCE);
    do {
        const char *params[] = { after };

        r = query_binary(c, sql, 1, params, err);
        if (r == NULL || read_some(c, r, s, t, err) < 0)
            goto out;
        n = PQntuples(r);
        if (n > 0)
            snprintf(after, sizeof after, "%u", read_oid(r, n - 1));
        PQclear(r);
        r = NULL;
    } while (n == OBJECTS_AT_ONCE);
    rc = 0;
out:
    PQclear(r);
    tally_stream_free(s);
    return rc;
}
