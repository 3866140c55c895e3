/* SPDX-License-Identifier: PostgreSQL */
/* preflight.h - what a dump asks the server before it starts: the facts for the manifest, and whether it would work.
 *
 * The queries use pg_catalog alone and need no privilege beyond a connection; what the server will not tell an ordinary
 * user is left empty.
 */
#pragma once
#include "core/pg/dump.h"

struct preflight_facts {
    struct dump_facts facts; /* its strings point into the results below */
    PGresult *database, *extensions, *identifier, *position;
    const char *(*extension_pairs)[2];
};

int preflight_read(PGconn *c, struct preflight_facts *out, struct err *err);     /* outside a transaction */
int preflight_position(PGconn *c, struct preflight_facts *out, struct err *err); /* facts.lsn, in the snapshot */
void preflight_release(struct preflight_facts *f);

/* ERR_DUMP with the GRANT that helps, when there are tables or sequences that pg_dump may not read, or whose rows row
 * security would hide. pg_dump would find out too, but only after it has locked everything. */
int preflight_privileges(PGconn *c, struct err *err);
