/* SPDX-License-Identifier: PostgreSQL */
/* sqlscript.h - plain SQL dumps: what one needs, and feeding it to psql.
 *
 * A script is unpacked here and goes through a pipe, so that psql never sees a file, and stops at its first error. It
 * is not run in one transaction: a dump may hold statements that refuse to be in one, and what it is run into is a
 * database of its own that nobody uses yet.
 *
 * psql obeys commands of its own in a script, \! (a shell) among them. So it starts in restricted mode, with a key that
 * the script can't know: then it takes SQL and data and nothing else. Dumps of newer pg_dumps do the same to themselves
 * (\restrict KEY ... \unrestrict KEY); those two lines become comments on the way. A dump that switches databases
 * (\connect, of pg_dump --create) is refused beforehand, for it would restore into another database than was said.
 */
#pragma once
#include <stdint.h>
#include "core/base/err.h"
#include "core/base/names.h"
#include "core/pg/conn.h"
#include "core/pg/tool.h"

struct sqlscript_facts {
    struct names roles, extensions; /* that statements name */
    char restrict_key[128];         /* of the script's own \restrict; "": none */
    bool unread;                    /* a statement was too large to look at: there may be more roles */
};

/* Reads all of fd, from its first byte. ERR_RESTORE when it holds psql commands. `what` names it in messages. */
int sqlscript_scan(int fd, const char *what, struct sqlscript_facts *out, struct err *err);
void sqlscript_release(struct sqlscript_facts *f);

/* Runs all of fd, from its first byte, in the database `into`. session: as in restore.h. ERR_RESTORE with psql's error and the line. */
int sqlscript_run(int fd, const char *what, const struct sqlscript_facts *facts, const struct tool *tool,
                  const struct target *into, const char *session, void (*progress)(uint64_t bytes), struct err *err);
