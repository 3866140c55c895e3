/* SPDX-License-Identifier: PostgreSQL */
/* ownership.h - owners and privileges one by one, where pg_restore could only give all of them or none.
 *
 * pg_restore stops at the first owner that it can't set, and its --no-owner leaves out every one. So when some roles
 * can't be had, it runs without owners, and what can be given is given here afterwards, owners first, then privileges:
 * statement by statement, as pg_restore itself would have written them.
 */
#pragma once
#include "core/base/err.h"
#include "core/pg/conn.h"
#include "core/pg/restore.h"

/* In the database `into`, after pg_restore. What the server refuses is counted and told in one warning. */
int ownership_apply(const struct restore_plan *plan, const struct restore_files *files, const struct target *into,
                    struct err *err);
