/* SPDX-License-Identifier: PostgreSQL */
/* audit_recent.h - is the newest part of this host's audit log what was written? For those who look often, and may not wait.
 *
 * Read is the log with its rotated files, the newest first, as far as `bytes` go: of the file in which they end only the
 * end. Compressed files count as older than that, unless there is nothing else. `sfb verify --audit` reads all.
 */
#pragma once
#include <stdbool.h>
#include "core/backup/audit_check.h"
#include "core/backup/catalog.h"

#define AUDIT_RECENT_BYTES ((size_t)4 * 1024 * 1024)

/* Compared with the heads beside the log and in the manifests of `cache`. ERR_DAMAGED: it is not what was written, or gone;
 * ERR_NOT_FOUND: there is no log, and none was begun; ERR_IO: it can't be read. *found is to be released in any case. */
int audit_recent_check(const char *dir, const char *app, const struct catalog *cache, size_t bytes,
                       struct audit_result *found, struct err *err);
