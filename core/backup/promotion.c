/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/promotion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/repository.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"

#define PREPARE_SECONDS 5 /* a snapshot is open meanwhile */

/* ---- what the store says --------------------------------------------------------------------------------------- */

struct search {
    time_t until, newest;
    time_t dump, manifest; /* seen last: those of one backup stand side by side */
};

/* A dump counts with its manifest only: what a run left that was killed between the two does not make up for a copy.
 * Neither does one from after this backup: somebody's clock was wrong then. */
static int note_newest(void *cookie, const struct store_item *item, struct err *err)
{
    struct search *s = cookie;
    enum backup_format format;
    time_t started;

    (void)err;
    if (manifest_parse_name(item->key, &started, &format))
        s->dump = started;
    else if (manifest_parse_own_name(item->key, &started))
        s->manifest = started;
    else
        return 0;
    if (s->dump == s->manifest && started <= s->until && started > s->newest)
        s->newest = started;
    return 0;
}

/* The newest backup in a tier of the store, which is closed. -1: it can't be listed, and why. */
static int newest_stored(const struct promotion_params *p, struct store *store, enum tier tier, time_t *started,
                         struct err *why)
{
    char *prefix = repository_key(p->environment, tier, "");
    struct search search = { .until = p->started };
    int rc = -1;

    if (store != NULL && prefix != NULL)
        rc = store_list(store, prefix, note_newest, &search, why);
    *started = search.newest;
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
    if (path == NULL || os_read_file(path, &text, &ignored) < 0 || !clock_parse_stamp(text.data, &started) ||
        started > p->started)
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

static bool is_first_since(const struct promotion_params *p, enum tier tier, time_t newest)
{
    return newest < (tier == TIER_WEEKLY ? clock_week_start(p->started) : clock_month_start(p->started));
}

static bool is_due(const struct promotion_params *p, enum tier tier)
{
    struct err ignored = { 0 };
    time_t newest;

    if (newest_stored(p, repository_open(p->settings, NULL, STORE_READ, &ignored), tier, &newest, &ignored) < 0)
        newest = newest_remembered(p, tier);
    return is_first_since(p, tier, newest);
}

static bool promote(const struct promotion_params *p, struct shipment *ship, const struct snapshot *s, enum tier tier,
                    int days)
{
    struct err trouble = { 0 };

    if (!is_due(p, tier))
        return false;
    if (shipment_promote(ship, s, tier, days, &trouble) < 0) {
        log_warn("no %s copy was made: %s", manifest_tier_name(tier), trouble.message);
        if (trouble.hint[0])
            log_warn("%s", trouble.hint);
        return false;
    }
    remember(p, tier);
    return true;
}

static bool has_tiers(const struct promotion_params *p)
{
    return strcmp(p->environment, "production") == 0;
}

void promotion_prepare(const struct promotion_params *p, struct shipment *ship)
{
    struct err why = { 0 };
    struct store *store;
    time_t newest;

    if (!has_tiers(p))
        return;
    store = repository_open_briefly(p->settings, NULL, STORE_READ, PREPARE_SECONDS, &why);
    if (newest_stored(p, store, TIER_WEEKLY, &newest, &why) == 0 || !store_was_denied(&why))
        return;
    for (enum tier tier = TIER_WEEKLY; tier <= TIER_MONTHLY; tier++)
        if (is_first_since(p, tier, newest_remembered(p, tier)))
            shipment_send_twice(ship, tier);
}

void promotion_run(const struct promotion_params *p, struct shipment *ship, const struct snapshot *s, bool *weekly,
                   bool *monthly)
{
    *weekly = has_tiers(p) && promote(p, ship, s, TIER_WEEKLY, PROMOTION_WEEKLY_DAYS);
    *monthly = has_tiers(p) && promote(p, ship, s, TIER_MONTHLY, PROMOTION_MONTHLY_DAYS);
}
