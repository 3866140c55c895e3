/* SPDX-License-Identifier: PostgreSQL */
/* alert_digest.h - how backups stand, as an alert: what needs attention, daily; what was done, weekly. Pure.
 *
 * The contract's "Email Alerts": warnings in a daily digest, successes in a weekly summary. A day without a warning has
 * no digest; a week always has its summary, so that silence means something.
 */
#pragma once
#include <stdbool.h>
#include "core/watch/alert_text.h"
#include "core/watch/status.h"

enum alert_digest { ALERT_DAILY, ALERT_WEEKLY };

bool alert_digest_parse(const char *word, enum alert_digest *kind); /* "daily", "weekly" */

/* 1: *a is what to tell (alert_release), 0: there is nothing to tell, -1: memory. Secrets of settings are hidden. */
int alert_digest_write(struct alert *a, enum alert_digest kind, const struct status *s, const struct settings *settings,
                       struct err *err);
