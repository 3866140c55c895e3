/* SPDX-License-Identifier: PostgreSQL */
/* smoke.h - a file of SQL statements, each a test: it must succeed, and where it returns one boolean column, every row of
 * that must be true.
 *
 * All of them run in one transaction that is rolled back, each behind a savepoint, so that a statement which fails does
 * not decide about the next. They may write, as the application does; what they wrote the later ones see, and nobody
 * afterwards. A statement that ends the transaction, or wants data from the client, fails. The search path is the one
 * that the database gives its users.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "core/base/err.h"
#include "core/pg/conn.h"

struct smoke_test {
    const char *statement; /* in one line, cut when it is long */
    bool passed;
    const char *detail; /* why it did not; else "" */
};

struct smoke_params {
    const struct target *target;
    const char *path;
    unsigned seconds; /* for each statement; 0: no limit */
    void (*tell)(void *cookie, const struct smoke_test *test);
    void *cookie;
};

/* Can the file be read, and is there a statement in it? ERR_CONFIG. */
int smoke_check_file(const char *path, struct err *err);

/* Tells of every test. -1 when not all could be run: ERR_CONFIG for the file, a lost connection, a signal. */
int smoke_run(const struct smoke_params *p, struct err *err);
