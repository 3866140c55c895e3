/* SPDX-License-Identifier: PostgreSQL */
/* alert_heartbeat.h - which URL the heartbeat asks for when, and for which runs. Pure.
 *
 * healthchecks.io and what copied it take URL/start, URL and URL/fail. A URL with a query (Uptime Kuma's ?status=up) is
 * of a service that has other ways: it is asked for on success alone, unless the other two URLs are named.
 */
#pragma once
#include "core/backup/settings.h"
#include "core/watch/run.h"

enum alert_beat { ALERT_BEAT_START, ALERT_BEAT_SUCCESS, ALERT_BEAT_FAIL };

/* Appends the URL for that moment; nothing when there is none. */
void alert_heartbeat_url(struct buf *out, const struct settings *s, enum alert_beat beat);
/* Is it the heartbeat of runs of this kind and environment? */
bool alert_heartbeat_counts(const struct settings *s, enum run_kind kind, const char *environment);
int alert_heartbeat_check(const struct settings *s, struct err *err); /* ERR_CONFIG: a kind that does not exist */
