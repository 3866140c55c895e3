/* SPDX-License-Identifier: PostgreSQL */
/* target_env.h - how another program finds the same database: DATABASE_URL and libpq's variables. */
#pragma once
#include "core/base/buf.h"
#include "core/pg/conn.h"

/* postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=..., every part escaped; a socket's directory is the parameter
 * host, as all drivers understand it. Appended; with the password, so: for memory and environments, never to be shown. */
void target_url(const struct target *t, struct buf *out);

void target_escape(struct buf *out, const char *text); /* as a part of a URL */

/* This process's environment with DATABASE_URL and the PG* variables of t in place of what was there. What names other
 * databases (PRODUCTION_DATABASE_URL, STAGING_DATABASE_URL) is left out. NULL at the end; free with target_environment_free,
 * which wipes it. */
char **target_environment(const struct target *t, struct err *err);
void target_environment_free(char **environment);
