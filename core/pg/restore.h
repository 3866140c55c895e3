/* SPDX-License-Identifier: PostgreSQL */
/* restore.h - pg_restore of one archive into one empty database.
 *
 * First a plan is made, which changes nothing: the program that reads the archive, roles and tablespaces that the
 * server lacks, extensions it can't install, what this user may not create. Then pg_restore runs in two parts, the
 * schema before everything else, so that a dump which does not fit this server fails while the old database still
 * stands. It stops at the first error.
 *
 *     restore_plan_make(c, archive, bindir, &plan, &err)      plan.missing: roles to be made
 *     restore_plan_settle(&plan, &refused, &err)              plan.losses: sentences for the user
 *     restore_run(&plan, &files, into, RESTORE_SCHEMA, 1, &err)
 *     restore_run(&plan, &files, into, RESTORE_DATA, jobs, &err)
 *     restore_run(&plan, &files, into, RESTORE_REST, jobs, &err)
 */
#pragma once
#include <stdbool.h>
#include "core/base/err.h"
#include "core/base/names.h"
#include "core/pg/archive.h"
#include "core/pg/conn.h"
#include "core/pg/tool.h"

struct restore_plan {
    const struct archive *archive;
    struct tool tool;
    int server_version;
    uint64_t locks; /* that the server can hold at once, of all sessions */
    char *user;
    bool superuser, may_create_roles;
    struct names owners, others; /* roles the archive speaks of (roles.h) */
    struct names missing;        /* those of them that the server lacks */
    struct names foreign;        /* owners that this user can't give things to, though they exist */
    struct names lost_tablespaces;
    bool no_owner, no_tablespaces;
    struct names refused; /* roles that can't be had */
    bool *skip;           /* per entry of the archive: not for pg_restore */
    size_t skipped;
    bool *mine; /* privileges that ownership.h gives instead */
    size_t n_mine;
    struct names losses; /* sentences: what will not be as it was */
};

/* ERR_RESTORE when the archive can't be restored on this server at all: the message lists all that is missing. */
int restore_plan_make(PGconn *c, const struct archive *a, const char *bindir, struct restore_plan *plan,
                      struct err *err);

/* The same for a part of an archive, into a database that is there: without the entries for which `without` (one for
 * each) is true. They end up in plan->skip. */
int restore_plan_make_part(PGconn *c, const struct archive *a, const bool *without, const char *bindir,
                           struct restore_plan *plan, struct err *err);

/* The same for a script, of which no more is known than the names in it. plan->archive is NULL. */
int restore_plan_make_script(PGconn *c, const struct names *roles, const struct names *extensions,
                             struct restore_plan *plan, struct err *err);

/* Decides what is done without the roles that can't be had (`refused`, of plan->missing). Call once. */
int restore_plan_settle(struct restore_plan *plan, const struct names *refused, struct err *err);
void restore_plan_release(struct restore_plan *plan);

/* Of plan->missing, those that can't be made: all, or the names PostgreSQL keeps for itself. */
int restore_plan_unmakeable(const struct restore_plan *plan, struct names *out, struct err *err);

/* One after the other. Rows and what follows them in one run of several jobs is a race: what belongs to a partitioned
 * table waits for that table alone, which has no rows, and so a trigger or a constraint that is NOT VALID may be there
 * before the rows of a partition. */
enum restore_part { RESTORE_SCHEMA, RESTORE_DATA, RESTORE_REST };

struct restore_files {
    const char *path;     /* the archive: pg_restore's jobs each open it */
    int fd;               /* the same, as it was checked: another file of that name is ERR_DAMAGED */
    const char *work_dir; /* for the list of what to restore, when that is not everything */
};

/* ERR_RESTORE with pg_restore's first error. */
int restore_run(const struct restore_plan *plan, const struct restore_files *files, const struct target *into,
                enum restore_part part, unsigned jobs, struct err *err);

/* After RESTORE_SCHEMA: is there a table for all the rows to come? ERR_RESTORE names those that are missing. */
int restore_check_tables(const struct restore_plan *plan, const struct target *filled, struct err *err);

/* Settings of sessions that load data: nothing needs to be durable before the database gets its name. */
const char *restore_session(int server_version);

/* files->path as an argument, which is never taken for an option. Caller frees. */
char *restore_path(const struct restore_files *files, struct err *err);

/* ERR_DAMAGED when path is not the file that fd is. */
int restore_same_file(const char *path, int fd, struct err *err);
