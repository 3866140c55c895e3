/* SPDX-License-Identifier: PostgreSQL */
/* audit.h - who did what to the backups and when: the contract's audit logs, and two copies that are harder to bend.
 *
 *     [2025-10-23 02:00:15] INFO Backup started (user: ubuntu, pid: 12345)
 *
 * An event is one line of text in LOG_DIR/APP-backup-audit.log (backup, prune) or LOG_DIR/APP-restore-audit.log
 * (restore, drill), one entry of the chain in LOG_DIR/APP-audit.jsonl (audit_chain.h), and, with SFB_SYSLOG, one message
 * to syslog or journald (audit_syslog.h), which names the entry. Files are created 0640 and opened for append, a line
 * is one write. Each of the three that can't be kept is warned about once; none changes a result.
 */
#pragma once
#include <stdbool.h>
#include "core/backup/audit_chain.h"
#include "core/backup/places.h"

enum audit_kind { AUDIT_BACKUP, AUDIT_RESTORE, AUDIT_PRUNE, AUDIT_DRILL };
enum audit_level { AUDIT_INFO, AUDIT_WARNING, AUDIT_ERROR };

struct audit {
    enum audit_kind kind;
    char *app;
    char *path;               /* of the text; NULL: not kept */
    struct audit_chain chain; /* its path NULL: not kept */
    char *syslog;             /* the socket; NULL: none */
    bool syslog_failed;       /* and warned about; later events are tried all the same */
    struct audit_head head;   /* the newest entry of this run; seq 0: none yet */
};

void audit_open(struct audit *a, const struct settings *s, const struct places *p, enum audit_kind kind);
void audit_event(struct audit *a, enum audit_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void audit_close(struct audit *a); /* fine on a zeroed or closed one */
