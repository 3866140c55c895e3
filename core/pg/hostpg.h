/* SPDX-License-Identifier: PostgreSQL */
/* hostpg.h - the PostgreSQL server programs that this host has, and which of them fits a backup.
 *
 * sfb carries PostgreSQL's clients, not its server. Where distributions put it: Debian's /usr/lib/postgresql/15/bin, the
 * PGDG's /usr/pgsql-15/bin, Alpine's /usr/libexec/postgresql15, SUSE's /usr/lib/postgresql15/bin, Homebrew's
 * opt/postgresql@15/bin, /usr/local/pgsql/bin, and the PATH.
 */
#pragma once
#include <stddef.h>
#include "core/base/err.h"

struct hostpg {
    char *bindir; /* holds postgres and initdb */
    int major;
};

/* The one for a backup of a server of major `wanted` (0: any): the same, else the next newer, for an older server does not
 * take a newer dump. bindir: the only place to look; NULL or "": everywhere. ERR_CONFIG tells what there is and what is
 * missing. */
int hostpg_find(const char *bindir, int wanted, struct hostpg *out, struct err *err);
void hostpg_release(struct hostpg *h);

/* Pure. "postgres (PostgreSQL) 15.18 (Debian ...)": 15; 0 when it is none. The index of the best, or n. */
int hostpg_parse_version(const char *words);
size_t hostpg_choose(const int *majors, size_t n, int wanted);
