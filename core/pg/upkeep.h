/* SPDX-License-Identifier: PostgreSQL */
/* upkeep.h - what a freshly loaded database needs before it is used: statistics, whole indexes, visibility.
 *
 * Each works on all tables at once, the largest first, over `jobs` connections. Tables that this user may not analyze
 * or vacuum are left out by the server.
 */
#pragma once
#include <stddef.h>
#include "core/base/err.h"
#include "core/pg/conn.h"

int upkeep_analyze(const struct target *t, unsigned jobs, struct err *err);

/* pg_restore has just built every index, so there is nothing to gain by building them again; rebuilt are those that
 * the catalog says are not valid. */
int upkeep_rebuild_indexes(const struct target *t, unsigned jobs, size_t *rebuilt, struct err *err);

int upkeep_vacuum(const struct target *t, unsigned jobs, struct err *err);
