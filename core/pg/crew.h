/* SPDX-License-Identifier: PostgreSQL */
/* crew.h - one list of jobs in a database, worked off by several connections at once.
 *
 * Each hand is a thread with a connection of its own, taking the next job that nobody has; put the longest first. A
 * failure or a signal ends all of them. No thread is left when crew_run returns, so the caller may fork() again.
 */
#pragma once
#include <stddef.h>
#include "core/base/err.h"
#include "core/pg/conn.h"

/* Job i of n. Called from several threads, never for the same job twice. */
typedef int crew_work(PGconn *c, size_t i, void *cookie, struct err *err);

/* 0: every job was done. -1 and the err of the first failure. hands: at least 1; never more than jobs are used. */
int crew_run(const struct target *target, const char *session_options, unsigned hands, size_t n, crew_work *work,
             void *cookie, struct err *err);
