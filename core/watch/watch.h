/* SPDX-License-Identifier: PostgreSQL */
/* watch.h - what follows a run, whatever it was and however it ended: history, alerts, heartbeat, metrics file.
 *
 *     watch_begin(settings, run);      the applet: what is wanted is known, and the work begins
 *     ...
 *     run_finish(run, code, err);      sfb.c, for every applet that is `watched`
 *     watch_end(settings, run);
 *
 * Nothing here changes the run's result: what can't be kept or told is warned about, and that is all.
 */
#pragma once
#include "core/backup/settings.h"
#include "core/watch/run.h"

/* Before the work: the heartbeat's "start". What the run is about (environment, ...) should be in it by now. A rehearsal
 * sets r->unrecorded first, or does not call this. */
void watch_begin(const struct settings *s, struct run *r);

/* After it: appends to the history, tells who has to know, writes SFB_METRICS_FILE when it is set. In this order, so
 * that alerts and metrics know this run too. A run that has not begun, or is `unrecorded`, is passed over. No signal
 * stops it any more; what it does on the network is bounded. */
void watch_end(const struct settings *s, const struct run *r);
