/* SPDX-License-Identifier: PostgreSQL */
/* libpq.h - what our own libpq has beyond the host's, which unit tests are linked with: none of them calls it. */
#pragma once
#include <libpq-fe.h>

extern int PQgetCopyPart(PGconn *conn, const char **part, int async) __attribute__((weak));
