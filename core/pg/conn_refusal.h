/* SPDX-License-Identifier: PostgreSQL */
/* conn_refusal.h - why there is no connection, and what to do about it.
 *
 * Pure: works on libpq's words. Knows a failure by its SQLSTATE where the server gave one (libpq's verbose messages have
 * it), else by words that libpq and the C library use.
 */
#pragma once
#include "core/base/err.h"
#include "core/pg/conn.h"

/* Fills err: ERR_CONNECT, or ERR_CONFIG when the URL holds a value that libpq does not know. message: PQerrorMessage
 * with PQERRORS_VERBOSE. timed_out: after how many seconds an address was given up, 0: none was. */
void conn_refusal(const struct target *t, const char *message, int timed_out, struct err *err);
