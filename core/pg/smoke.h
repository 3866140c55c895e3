/* SPDX-License-Identifier: PostgreSQL */
/* smoke.h - a file of SQL statements that must all succeed; where one returns a single boolean, it must be true.
 *
 * Each statement is one test. Everything runs in a transaction that is rolled back.
 */
#pragma once
#include <stddef.h>
#include "core/base/err.h"
#include "core/pg/conn.h"

/* ERR_CONFIG: no such file. ERR_PROOF: the message quotes the statement that failed or was not true. */
int smoke_run(const struct target *t, const char *path, size_t *tests, struct err *err);
