/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/retention.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

#define DAY 86400

const struct retention_policy retention_contract = {
    .days = { [TIER_DAILY] = 0, [TIER_WEEKLY] = 90, [TIER_MONTHLY] = 365, [TIER_MANUAL] = 0 },
    .keep_at_least = 3,
    .stale_hours = 50,
};

static void verdict(struct retention_verdict *v, bool keep, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void verdict(struct retention_verdict *v, bool keep, const char *format, ...)
{
    va_list args;

    v->keep = keep;
    va_start(args, format);
    vsnprintf(v->reason, sizeof v->reason, format, args);
    va_end(args);
}

/* What the verdict on one item depends on, of the others. Copies of one backup in several tiers are one backup: they
 * began in the same second. */
struct standing {
    size_t newer_good; /* good backups of its environment that are newer */
    time_t newest_good;
};

/* What has been seen of an environment, the newest first. */
struct seen {
    size_t good;
    time_t newest, last; /* of the good ones */
};

/* Sorted: environments together, each newest first; of two that are equally old the first listed counts as newer. */
static int compare_items(const void *a, const void *b)
{
    const struct retention_item *const *x = a, *const *y = b;
    int order = strcmp((*x)->environment, (*y)->environment);

    if (order != 0)
        return order;
    if ((*x)->started != (*y)->started)
        return (*x)->started > (*y)->started ? -1 : 1;
    return *x < *y ? -1 : 1;
}

static struct standing *find_standings(const struct retention_item *items, size_t n, time_t now)
{
    const struct retention_item **sorted = calloc(n + 1, sizeof *sorted);
    struct standing *standings = calloc(n + 1, sizeof *standings);
    struct seen seen = { 0 };

    if (sorted == NULL || standings == NULL) {
        free(sorted);
        free(standings);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = &items[i];
    qsort(sorted, n, sizeof *sorted, compare_items);
    for (size_t i = 0; i < n; i++) {
        bool copy;

        if (i == 0 || strcmp(sorted[i]->environment, sorted[i - 1]->environment) != 0)
            seen = (struct seen){ 0 };
        copy = seen.good > 0 && sorted[i]->started == seen.last;
        standings[sorted[i] - items] = (struct standing){ seen.good - copy, seen.newest };
        if (!sorted[i]->good || copy)
            continue;
        seen.good++;
        if (seen.newest == 0 && sorted[i]->started < now + DAY) /* a clock that was wrong once says nothing of today */
            seen.newest = sorted[i]->started;
        seen.last = sorted[i]->started;
    }
    free(sorted);
    return standings;
}

static int limit_of(const struct retention_item *item, const struct retention_policy *policy)
{
    return policy->days[item->tier] > item->days ? policy->days[item->tier] : item->days;
}

static void judge(const struct retention_item *item, const struct standing *standing,
                  const struct retention_policy *policy, time_t now, struct retention_verdict *v)
{
    const char *tier = manifest_tier_name(item->tier);
    int limit = limit_of(item, policy);
    long age = (long)((now - item->started) / DAY);
    double stale;

    if (!item->good && !item->adopted) {
        verdict(v, true,
                item->described ? "not what its manifest says: not ours to judge"
                                : "without a manifest: not ours to judge, unless with --adopt");
        return;
    }
    if (item->tier == TIER_MANUAL || item->days == 0) {
        verdict(v, true, "%s, kept until it is deleted by hand", tier);
        return;
    }
    if (now - item->started < (time_t)limit * DAY) {
        verdict(v, true, "%s, %ld days old, limit %d", tier, age < 0 ? 0 : age, limit);
        return;
    }
    if (standing->newer_good == 0) {
        verdict(v, true, "%s, %ld days old, limit %d, but the newest good one", tier, age, limit);
        return;
    }
    if (standing->newer_good < policy->keep_at_least) {
        verdict(v, true, "%s, %ld days old, limit %d, but one of the last %u good ones", tier, age, limit,
                policy->keep_at_least);
        return;
    }
    stale = (double)(now - (standing->newest_good > 0 ? standing->newest_good : item->started)) / 3600;
    if (policy->stale_hours > 0 && stale > policy->stale_hours && !policy->even_if_failing) {
        verdict(v, true, "%s, %ld days old, limit %d, but no good backup for %.0f hours", tier, age, limit, stale);
        return;
    }
    verdict(v, false, "%s, %ld days old, limit %d", tier, age, limit);
}

struct retention_verdict *retention_plan(const struct retention_item *items, size_t n,
                                         const struct retention_policy *policy, time_t now, struct err *err)
{
    struct retention_verdict *verdicts = calloc(n + 1, sizeof *verdicts);
    struct standing *standings = find_standings(items, n, now);

    if (verdicts == NULL || standings == NULL) {
        free(verdicts);
        verdicts = NULL;
        err_no_memory(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        judge(&items[i], &standings[i], policy, now, &verdicts[i]);
out:
    free(standings);
    return verdicts;
}
