/* SPDX-License-Identifier: PostgreSQL */
/* audit_syslog.h - an audit event as a message to the host's logger, spoken to its socket directly.
 *
 *     <30>Oct 23 02:00:15 sfb[12345]: signupflow backup INFO Backup started (user: ubuntu, pid: 12345) [CHAIN:17:HASH]
 *
 * A datagram in the form that /dev/log takes (RFC 3164 without the host's name): rsyslog, syslog-ng and journald read
 * it, and journalctl -t sfb finds it. Facility daemon; the time is UTC. What stands in brackets is the entry of the chain
 * (audit_chain.h): a log that leaves the host so holds what the chain's end must be. Never blocks: a logger that does not
 * read fast enough, or is not there, is an error, not a wait. libc's syslog() would drop messages without a word.
 */
#pragma once
#include "core/backup/audit_chain.h"

#define AUDIT_SYSLOG_SOCKET "/dev/log"

/* The datagram; level 0 to 2 as in enum audit_level. A long event is cut, never the entry's name. */
void audit_syslog_frame(struct buf *out, const char *app, int level, int pid, const struct audit_record *r,
                        const struct audit_head *head);
int audit_syslog_send(const char *path, const char *app, int level, const struct audit_record *r,
                      const struct audit_head *head, struct err *err);
