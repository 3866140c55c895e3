/* SPDX-License-Identifier: PostgreSQL */
/* record.h - a run is remembered: its line on this host, its object in the store. What can't be is warned about or done without. */
#pragma once
#include <stdbool.h>
#include "core/backup/places.h"
#include "core/backup/settings.h"
#include "core/watch/run.h"

/* The store gets it when the settings name one or it has the backup, unless the run was to stay on this host; with what earlier
 * runs could not send. send false: it is left to the next run, and nobody waits for a network. */
void record_run(const struct settings *s, const struct places *p, const struct run *r, bool send);
