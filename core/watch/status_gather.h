/* SPDX-License-Identifier: PostgreSQL */
/* status_gather.h - gathers what status.h judges: from this host, and from the store when it may be asked.
 *
 * One list of the environment's keys tells which backups the store holds, whole or not, so that a thousand of them are
 * no more work than their names; no manifest is fetched. Runs that the store remembers and this host does not are (newest
 * STATUS_RUNS). Changes nothing but this host's history, which learns them, and of a run that died without a word it
 * tells whoever is to know (alert.h). Nothing is waited for long, and a store that can't be asked is a fact like others.
 */
#pragma once
#include "core/backup/settings.h"
#include "core/watch/status.h"

#define STATUS_RUNS 400 /* a year of backups and what goes with them */

struct status_params {
    const struct settings *settings;
    const char *environment;
    time_t now;
    bool here_only; /* no network: what this host knows */
};

/* -1 and err when it could not go on: a setting, memory, a signal. Else release with status_release_facts. */
int status_gather(const struct status_params *p, struct status_facts *facts, struct err *err);

/* The metrics of an environment (NULL: of production, and of staging when anything is known of it), into a file that
 * others may read, which is replaced whole, or appended to out (path NULL). *worst (may be NULL): of their levels. */
int status_metrics(const struct status_params *p, const char *path, struct buf *out, enum status_level *worst,
                   struct err *err);
