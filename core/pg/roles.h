/* SPDX-License-Identifier: PostgreSQL */
/* roles.h - the roles that a dump speaks of, and making those that the server lacks.
 *
 * A role made here is harmless: it can't log in unless that was asked for, has no password, and none of the attributes
 * that give power over the cluster, whatever the globals file says (roles_create tells which were left out). Roles that
 * exist are never changed.
 */
#pragma once
#include <stdbool.h>
#include "core/base/err.h"
#include "core/base/names.h"
#include "core/pg/archive.h"
#include "core/pg/conn.h"

/* Roles that own something in the archive, and roles that are granted something (privileges, policies, mappings) or own
 * the database itself. skip: per entry, those that do not count. */
int roles_of_archive(const struct archive *a, const bool *skip, struct names *owners, struct names *others,
                     struct err *err);

/* Roles named by one entry other than as its owner; what pg_restore would do for it fails without them. */
int roles_of_entry(const struct archive_entry *e, struct names *out, struct err *err);
/* Roles named by one statement: GRANT, REVOKE, ALTER ... OWNER TO, ALTER DEFAULT PRIVILEGES, CREATE POLICY ... */
int roles_of_statement(const char *sql, size_t n, struct names *out, struct err *err);

/* Those of `needed` that are not there. */
int roles_missing(PGconn *c, const struct names *needed, struct names *missing, struct err *err);

struct roles_params {
    const char *globals; /* what pg_dumpall --globals-only wrote, or NULL */
    bool logins;         /* roles that could log in there may log in here */
};

/* Makes each of `missing`. `made`: those that are there now; `refused`: those that can't be made
 * (no privilege, reserved names); `weaker`: "NAME (SUPERUSER, CREATEDB)", attributes that were left out. An ordinary
 * user becomes a member of what it made, or else it could not make it an owner. */
int roles_create(PGconn *c, const struct names *missing, const struct roles_params *p, struct names *made,
                 struct names *refused, struct names *weaker, struct err *err);

/* Best effort: takes back what roles_create made. */
void roles_drop(PGconn *c, const struct names *made);

/* An array literal for a text[] parameter. */
void roles_array(struct buf *out, const struct names *names);
