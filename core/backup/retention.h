/* SPDX-License-Identifier: PostgreSQL */
/* retention.h - which backups to keep, and why.
 *
 * Pure policy: works on the list and the time it is given; reads no clock, no store, no settings. A backup expires when
 * its tier's days have passed since it was taken; with a number of days in its manifest, those (contract: "Backup
 * Retention Policy"). Manual backups never do. Whatever the ages say, three things are kept:
 *
 *     the newest good backup of an environment, and `keep_at_least` good ones of it in all, whatever tiers they are in
 *     (copies of one backup in several tiers are one);
 *     everything of an environment whose backups are failing, unless `even_if_failing`: age alone would delete one
 *     good backup a day while nothing replaces them;
 *     what has no readable manifest, unless it was adopted: it is not ours to judge.
 *
 *     struct retention_verdict *v = retention_plan(items, n, &policy, now, &err);
 *     for (size_t i = 0; i < n; i++) puts(v[i].reason);
 *     free(v);
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include "core/backup/manifest.h"
#include "core/base/err.h"

struct retention_item {
    const char *environment;
    enum tier tier;
    time_t started;
    int days;       /* as its manifest says; 0: kept for ever */
    bool described; /* it has a manifest */
    bool good;      /* which names it and its size */
    bool adopted;   /* it has none, but its name is one of ours, and its owner asked for it to be judged by that */
};

struct retention_policy {
    int days[TIER_COUNT];   /* 0: as the manifest says; it never shortens what the manifest promises */
    unsigned keep_at_least; /* good backups of each environment */
    int stale_hours;        /* an environment whose newest good backup is older than this is failing; 0: never */
    bool even_if_failing;
};

/* The contract's: weekly 90, monthly 365, daily as recorded; three at least; failing after two missed days. */
extern const struct retention_policy retention_contract;

struct retention_verdict {
    bool keep;
    char reason[96]; /* "daily, 34 days old, limit 30" */
};

/* One verdict for each item, in the given order; the caller frees. NULL and err (ERR_INTERNAL) only without memory. */
struct retention_verdict *retention_plan(const struct retention_item *items, size_t n,
                                         const struct retention_policy *policy, time_t now, struct err *err);
