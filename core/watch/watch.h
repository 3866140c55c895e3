/* SPDX-License-Identifier: PostgreSQL */
/* watch.h - what follows a run, whatever it was and however it ended: history, alerts, heartbeat, metrics file.
 *
 * Nothing here changes the run's result: what can't be kept or told is warned about, and that is all.
 */
#pragma once
#include "core/backup/settings.h"
#include "core/watch/run.h"

/* Before the work: the heartbeat's "start". */
void watch_begin(const struct settings *s, const struct run *r);

/* After it: appends to the history, tells who has to know, writes SFB_METRICS_FILE when it is set. In this order, so
 * that alerts and metrics know this run too. A run that is `unrecorded` is passed over. */
void watch_end(const struct settings *s, const struct run *r);
