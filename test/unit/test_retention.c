/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <stdlib.h>

#include "core/backup/retention.h"

#define DAY 86400
#define NOW ((time_t)1761184935) /* 2025-10-23 02:02:15 */

static struct retention_item backup_of(const char *environment, enum tier tier, int age_days, int days)
{
    return (struct retention_item){
        .environment = environment, .tier = tier, .started = NOW - (time_t)age_days * DAY, .days = days, .good = true
    };
}

/* n daily backups of production, one a day, the newest `first` days old. */
static void fill_daily(struct retention_item *items, int n, int first)
{
    for (int i = 0; i < n; i++)
        items[i] = backup_of("production", TIER_DAILY, first + i, 30);
}

static size_t kept(const struct retention_item *items, size_t n, const struct retention_policy *policy)
{
    struct err err = { 0 };
    struct retention_verdict *v = retention_plan(items, n, policy, NOW, &err);
    size_t count = 0;

    assert_non_null(v);
    for (size_t i = 0; i < n; i++) {
        assert_true(v[i].reason[0] != '\0');
        count += v[i].keep;
    }
    free(v);
    return count;
}

static void thirty_days(void **state)
{
    struct retention_item items[40];

    (void)state;
    fill_daily(items, 40, 0);
    assert_int_equal(kept(items, 40, &retention_contract), 30); /* 0 to 29 days old */
}

static void tiers(void **state)
{
    struct retention_item items[9];
    struct err err = { 0 };
    struct retention_verdict *v;

    (void)state;
    fill_daily(items, 3, 0); /* so that nothing is kept for being rare */
    items[3] = backup_of("production", TIER_WEEKLY, 89, 90);
    items[4] = backup_of("production", TIER_WEEKLY, 90, 90);
    items[5] = backup_of("production", TIER_MONTHLY, 364, 365);
    items[6] = backup_of("production", TIER_MONTHLY, 365, 365);
    items[7] = backup_of("production", TIER_MANUAL, 5000, 0);
    items[8] = backup_of("production", TIER_DAILY, 31, 60); /* --retention-days 60 */
    v = retention_plan(items, 9, &retention_contract, NOW, &err);
    assert_non_null(v);
    assert_true(v[3].keep);
    assert_false(v[4].keep);
    assert_string_equal(v[4].reason, "weekly, 90 days old, limit 90");
    assert_true(v[5].keep);
    assert_false(v[6].keep);
    assert_true(v[7].keep);
    assert_true(v[8].keep);
    free(v);
}

static void last_good_one(void **state)
{
    struct retention_item one = backup_of("production", TIER_DAILY, 3650, 30);
    struct err err = { 0 };
    struct retention_verdict *v = retention_plan(&one, 1, &retention_contract, NOW, &err);

    (void)state;
    assert_true(v[0].keep);
    assert_non_null(strstr(v[0].reason, "newest good"));
    free(v);
}

static void at_least(void **state)
{
    struct retention_policy forced = retention_contract;
    struct retention_item items[10];

    (void)state;
    forced.even_if_failing = true;
    fill_daily(items, 10, 100);
    assert_int_equal(kept(items, 10, &forced), 3);
    forced.keep_at_least = 7;
    assert_int_equal(kept(items, 10, &forced), 7);
    items[0].good = items[1].good = false; /* they stay, and count for nothing */
    assert_int_equal(kept(items, 10, &forced), 9);
}

static void copies(void **state)
{
    struct retention_policy forced = retention_contract;
    struct retention_item items[9];

    (void)state;
    forced.even_if_failing = true;
    fill_daily(items, 6, 100);
    items[6] = backup_of("production", TIER_WEEKLY, 100, 90); /* copies of the newest */
    items[7] = backup_of("production", TIER_MONTHLY, 100, 365);
    items[8] = backup_of("production", TIER_WEEKLY, 102, 90); /* and of the third */
    assert_int_equal(kept(items, 9, &forced), 6);
}

static void failing(void **state)
{
    struct retention_item items[40];

    (void)state;
    fill_daily(items, 40, 3); /* the newest is three days old */
    assert_int_equal(kept(items, 40, &retention_contract), 40);
    fill_daily(items, 40, 2); /* one missed day is none */
    assert_int_equal(kept(items, 40, &retention_contract), 28);
}

static void future(void **state)
{
    struct retention_item items[41];

    (void)state;
    fill_daily(items, 40, 10);
    items[40] = backup_of("production", TIER_DAILY, -3650, 30); /* of a day on which the clock was wrong */
    assert_int_equal(kept(items, 41, &retention_contract), 41);
}

static void apart(void **state)
{
    struct retention_item items[11];

    (void)state;
    fill_daily(items, 10, 0); /* production thrives */
    items[10] = backup_of("staging", TIER_DAILY, 400, 7);
    assert_int_equal(kept(items, 11, &retention_contract), 11);
}

static void nothing(void **state)
{
    (void)state;
    assert_int_equal(kept(NULL, 0, &retention_contract), 0);
}

int main(void)
{
    const struct CMUnitTest promises[] = {
        PROMISE("daily backups stay for thirty days and not one more", thirty_days),
        PROMISE("each tier has its own days, manual ones never expire, and the manifest's days hold", tiers),
        PROMISE("the last good backup outlives every age rule", last_good_one),
        PROMISE("so many good backups stay, however old, and bad ones do not count among them", at_least),
        PROMISE("copies of one backup in several tiers count as one", copies),
        PROMISE("nothing expires while no new backups come", failing),
        PROMISE("a backup from the future does not hide that no new ones come", future),
        PROMISE("one environment's backups do not count for another's", apart),
        PROMISE("an empty store has an empty plan", nothing),
    };

    return cmocka_run_group_tests(promises, NULL, NULL);
}
