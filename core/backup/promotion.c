/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/promotion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/repository.h"
#include "core/base/clock.h"
#include "core/base/os.h"

/* ---- what the store says --------------------------------------------------------------------------------------- */

static int note_newest(void *cookie, const struct store_item *item, struct err *err)
{
    time_t *newest = cookie, started;
    enum backup_format format;

    (void)err;
    if (manifest_parse_name(item->key, &started, &format) && started > *newest)
        *newest = started;
    return 0;
}

/* The newest backup in a tier. -1: the store may not be listed. */
static int newest_stored(const struct promotion_params *p, enum tier tier, time_t *started)
{
    struct err ignored = { 0 };
    struct store *store = repository_open(p->settings, NULL, STORE_READ, &ignored);
    char *prefix = repository_key(p->environment, tier, "");
    int rc = -1;

    *started = 0;
    if (store != NULL && prefix != NULL)
        rc = store_list(store, prefix, note_newest, started, &ignored);
    store_close(store);
    free(prefix);
    return rc;
}

/* ---- what this host remembers ---------------------------------------------------------------------------------- */

/* A file that holds the stamp of the last backup that was promoted into the tier. */
static char *memory_path(const struct promotion_params *p, enum tier tier)
{
    char *path;

    if (p->state_dir == NULL ||
        asprintf(&path, "%s/%s-%s.promoted", p->state_dir, p->environment, manifest_tier_name(tier)) < 0)
        return NULL;
    return path;
}

static time_t newest_remembered(const struct promotion_params *p, enum tier tier)
{
    char *path = memory_path(p, tier);
    struct err ignored = { 0 };
    struct buf text;
    time_t started = 0;

    buf_init(&text, 256);
    if (path == NULL || os_read_file(path, &text, &ignored) < 0 || !clock_parse_stamp(text.data, &started))
        started = 0;
    buf_release(&text);
    free(path);
    return started;
}

static void remember(const struct promotion_params *p, enum tier tier)
{
    char *path = memory_path(p, tier), stamp[CLOCK_TEXT], line[CLOCK_TEXT + 1];
    struct err ignored = { 0 };
    int n = snprintf(line, sizeof line, "%s\n", clock_stamp(stamp, p->started));

    if (path != NULL)
        os_write_file(path, line, (size_t)n, &ignored);
    free(path);
}

/* ---- deciding -------------------------------------------------------------------------------------------------- */

static bool is_due(const struct promotion_params *p, enum tier tier)
{
    time_t since = tier == TIER_WEEKLY ? clock_week_start(p->started) : clock_month_start(p->started);
    time_t newest;

    if (newest_stored(p, tier, &newest) < 0)
        newest = newest_remembered(p, tier);
    return newest < since;
}

static int promote(const struct promotion_params *p, struct shipment *ship, const struct snapshot *s, enum tier tier,
                   int days, bool *done, struct err *err)
{
    if (!is_due(p, tier))
        return 0;
    if (shipment_promote(ship, s, tier, days, err) < 0)
        return -1;
    remember(p, tier);
    *done = true;
    return 0;
}

int promotion_run(const struct promotion_params *p, struct shipment *ship, const struct snapshot *s, bool *weekly,
                  bool *monthly, struct err *err)
{
    *weekly = *monthly = false;
    if (strcmp(p->environment, "production") != 0)
        return 0;
    if (promote(p, ship, s, TIER_WEEKLY, PROMOTION_WEEKLY_DAYS, weekly, err) < 0)
        return -1;
    return promote(p, ship, s, TIER_MONTHLY, PROMOTION_MONTHLY_DAYS, monthly, err);
}
