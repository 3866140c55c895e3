/* SPDX-License-Identifier: PostgreSQL */
/* audit.h - the contract's audit logs: one line an event.
 *
 *     [2025-10-23 02:00:15] INFO Backup started (user: ubuntu, pid: 12345)
 *
 * In LOG_DIR/APP-backup-audit.log and LOG_DIR/APP-restore-audit.log, created 0640, opened for append, each line one
 * write. An audit line that can't be written is warned about once and never changes a result.
 */
#pragma once
#include "core/backup/places.h"

enum audit_level { AUDIT_INFO, AUDIT_WARNING, AUDIT_ERROR };

struct audit {
    char *path;
}; /* path NULL: not kept */

/* which: "backup" or "restore" */
void audit_open(struct audit *a, const struct settings *s, const struct places *p, const char *which);
void audit_event(struct audit *a, enum audit_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void audit_close(struct audit *a);
