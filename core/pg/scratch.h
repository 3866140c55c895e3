/* SPDX-License-Identifier: PostgreSQL */
/* scratch.h - a PostgreSQL server for an hour: made of the host's own programs, used by nobody else, removed without trace.
 *
 * It lives in a directory of its own in the work directory, listens on a socket in there and nowhere else, and does
 * nothing for durability. As PostgreSQL refuses to run as root, root's runs as user postgres, else nobody. It ends with
 * this process, however that ends; what a kill -9 leaves of the directory, the next scratch_sweep removes.
 */
#pragma once
#include "core/base/err.h"
#include "core/pg/conn.h"
#include "core/pg/hostpg.h"

struct scratch;

/* Some seconds. ERR_CONFIG when it can't be run here (no user, a directory that this user can't enter, a path too long
 * for a socket), ERR_CONNECT with the server's own words when it does not come up. */
struct scratch *scratch_start(const char *work_dir, const struct hostpg *programs, unsigned jobs, struct err *err);

/* Its superuser in a database of that name, whatever libpq's variables say. The caller frees. */
struct target *scratch_target(const struct scratch *s, const char *database, struct err *err);

void scratch_stop(struct scratch *s); /* NULL is fine. Does not wait for signals */

/* What killed processes left in the work directory. Best effort. */
void scratch_sweep(const char *work_dir);
