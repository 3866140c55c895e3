/* SPDX-License-Identifier: PostgreSQL */
/* conn.h - where a database is, and a connection to it.
 *
 * A target is a parsed connection URL (or keyword string). It is handed to libpq and to PostgreSQL's own programs in
 * memory only, so that no password appears in a command line, a log line or a process list. What the URL does not say
 * comes from libpq's own variables, password file and service file, as everybody expects.
 *
 * TLS: when the URL asks for verify-ca or verify-full and names no CA file, and there is none in ~/.postgresql, the
 * host's CA bundle serves, and where the host has none, the embedded one (core/io/trust.h). With these public CAs the
 * host name is always checked (verify-full): anybody can have a certificate of theirs.
 */
#pragma once
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/base/buf.h"
#include "core/base/err.h"

struct target;

/* url: postgresql://..., postgres://... or "host=... dbname=..."; "": libpq's variables alone. ERR_CONFIG when it can't
 * be parsed, or when nothing names a database: the one that libpq would guess, named like the user, is seldom meant. The
 * message never holds the password. */
struct target *target_parse(const char *url, struct err *err);
struct target *target_with_database(const struct target *t, const char *database,
                                    struct err *err); /* a copy, other db */
/* In which encoding text goes to and from the server: UTF8 unless it is set here, whatever the URL says. A name that a
 * backup holds must be sent in the encoding of the backup, or it names something else. */
int target_set_encoding(struct target *t, const char *encoding, struct err *err);
void target_free(struct target *t);

const char *target_database(const struct target *t); /* what libpq will connect to, defaults applied */
const char *target_host(const struct target *t);     /* host, address or socket directory; never NULL */
const char *target_port(const struct target *t);
const char *target_user(const struct target *t);
bool target_is_local_socket(const struct target *t);

/* The value of one of libpq's keywords as the URL or sfb sets it; NULL: left to libpq. */
const char *target_get(const struct target *t, const char *keyword);

/* postgresql://host:port/database, without user or password (contract: "Target Database:"); appended to out. */
void target_describe(const struct target *t, struct buf *out);

/* A libpq keyword string with everything in it, password included: for memory, never to be printed. `session_options`
 * ("-c name=value ...", or NULL) is merged with the target's own options. Caller wipes and frees it. */
char *target_conninfo(const struct target *t, const char *session_options, struct err *err);
/* The same without its secrets: for the command line of a host's program. */
char *target_conninfo_public(const struct target *t, const char *session_options, struct err *err);

/* ---- connections --------------------------------------------------------------------------------------------- */

/* ERR_CONNECT, with a hint that tells a wrong password from a dead host, a missing database from a refused TLS. The
 * wait is bounded (connect_timeout, 15 s unless the URL says otherwise) and ends on a signal. Sets application_name
 * "sfb", no statement timeout, UTC, and the encoding UTF8 unless the target or session_options say otherwise. A database
 * of SQL_ASCII has no encoding to convert from: its text comes as it is. */
PGconn *conn_open(const struct target *t, const char *session_options, struct err *err);
void conn_close(PGconn *c); /* NULL is fine */

/* Runs SQL that returns no rows, or whose rows do not matter. On failure err gets `class` and the server's words. The
 * wait ends on a signal (the server is asked to cancel). */
int conn_exec(PGconn *c, enum err_class class, struct err *err, const char *sql);
int conn_execf(PGconn *c, enum err_class class, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Runs one query with text parameters (n of them); the caller PQclear()s the result. NULL on failure. */
PGresult *conn_query(PGconn *c, enum err_class class, struct err *err, const char *sql, int n,
                     const char *const *params);

/* The end of a command that was begun elsewhere, a COPY's or one that was only sent: takes all that is left of its
 * results. On failure err gets `class` and the server's words. */
int conn_finish(PGconn *c, enum err_class class, struct err *err);

/* The one value of a query, as text, freed by the caller; "" for NULL or no row. */
char *conn_value(PGconn *c, enum err_class class, struct err *err, const char *sql, int n, const char *const *params);

int conn_server_major(PGconn *c); /* 15 for 150018, 9 for 90624 */

/* Appends name as an SQL identifier, always in double quotes; text as an SQL string literal that no setting changes. */
void conn_quote_name(struct buf *out, const char *name);
void conn_quote_text(struct buf *out, const char *text);

/* Fills err from a failed connection or result: the server's message, detail and hint in one line. */
void conn_fail(struct err *err, enum err_class class, PGconn *c, const PGresult *r, const char *doing);
