/* SPDX-License-Identifier: PostgreSQL */
/* dump.h - a dump of one database: preflight, one exported snapshot, pg_dump of the matching major, the transcoder.
 *
 *     d = dump_open(&params, &err);          connects, checks, exports the snapshot
 *     dump_write(d, &output, &result, &err)  pg_dump joins the snapshot; the stream is counted, compressed and written
 *     dump_globals(d, fd, &err)              roles (without passwords) and tablespaces, as SQL
 *     dump_close(d)
 *
 * Nothing here names or publishes files: dump_write writes into what it is given, and its caller publishes that only
 * when dump_write has returned 0, which means that pg_dump ended with 0 and that the archive ended where it should.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include "core/base/err.h"
#include "core/pg/conn.h"
#include "core/pg/tool.h"
#include "core/pg/transcode.h"

struct dump_params {
    const struct target *target;
    const char *bindir;    /* the host's PostgreSQL programs for servers newer than the embedded ones, or NULL */
    int lock_timeout;      /* seconds to wait for a table's lock; 0: forever */
    bool check_privileges; /* look for tables that could not be read before anything is written */
};

struct dump_facts { /* all strings owned by the dump; "" where the server would not say */
    const char *database, *owner, *encoding, *collate, *ctype, *locale_provider, *locale, *lc_monetary;
    const char *server_version, *system_identifier, *lsn;
    int server_version_num;
    uint64_t database_size; /* pg_database_size */
    uint64_t table_bytes;   /* tables and large objects without indexes: what pg_dump has to read */
    time_t snapshot_at;
    const char *(*extensions)[2]; /* name, version */
    size_t n_extensions;
};

struct dump;

/* ERR_CONNECT, or ERR_DUMP when no pg_dump fits the server or privileges are missing (the hint has the GRANT). */
struct dump *dump_open(const struct dump_params *params, struct err *err);
const struct dump_facts *dump_get_facts(const struct dump *d);
const struct tool *dump_tool(const struct dump *d);
void dump_close(struct dump *d);

/* Custom format. p->in_fd is filled in here. */
int dump_write_archive(struct dump *d, const struct transcode_params *p, struct transcode_result *result,
                       struct err *err);

/* Plain SQL: the same counted stream, rendered by pg_restore of the same major, gzipped at p->level (0: not). p->sink
 * needs no patch. */
int dump_write_sql(struct dump *d, const struct transcode_params *p, struct transcode_result *result, struct err *err);

/* pg_dumpall --globals-only --no-role-passwords into out_fd. A server that does not let this user read them (managed
 * services) is ERR_DUMP; the caller decides whether that matters. */
int dump_globals(struct dump *d, int out_fd, struct err *err);
