/* SPDX-License-Identifier: PostgreSQL */
/* sqlfile.h - is this a whole plain SQL dump? Judged by what pg_dump writes at its beginning and its end. */
#pragma once
#include "core/base/err.h"

struct sqlfile_facts {
    char server_version[64]; /* "15.18 (Debian 15.18-0+deb12u1)" */
    char dump_version[64];
};

/* Reads all of fd, from its first byte, unpacking it. ERR_DAMAGED when it is no SQL dump of one database, or is cut. */
int sqlfile_check(int fd, const char *what, struct sqlfile_facts *facts, struct err *err);
