/* SPDX-License-Identifier: PostgreSQL */
/* test_drill.c - a drill's judgement: drift, which databases are a drill's own, what its result says. */
#include "test/unit/unit.h"

#include "core/backup/drilling.h"
#include "core/base/clock.h"

/* ---- drift ------------------------------------------------------------------------------------------------------- */

static void drift_is_a_part_of_the_larger_number(void **state)
{
    (void)state;
    assert_true(drill_drift(0, 0) == 0);
    assert_true(drill_drift(100, 100) == 0);
    assert_true(drill_drift(100, 75) == 25);
    assert_true(drill_drift(75, 100) == 25);
    assert_true(drill_drift(0, 1) == 100);
    assert_true(drill_drift(UINT64_MAX, 0) == 100);
}

/* found or not, rows then, in production or not, rows now */
static void add(struct drill_result *r, const char *name, bool found, uint64_t then, bool in_production, uint64_t now)
{
    struct err err = { 0 };
    struct drill_table *t = drill_table_add(r, "public", name, &err);

    assert_non_null(t);
    t->found = found;
    t->rows_found = then;
    t->in_production = in_production;
    t->rows_production = now;
}

static void what_went_and_what_came_both_count(void **state)
{
    struct drill_result r = { 0 };

    (void)state;
    add(&r, "same", true, 500, true, 500);
    add(&r, "grown", true, 100, true, 200);
    add(&r, "gone", true, 400, true, 0);
    add(&r, "not_counted", true, 1000000, false, 0);
    drill_production_measure(&r);
    assert_true(r.has_drift);
    assert_true(r.drift == 50); /* 500 of 1000 */
    assert_true(r.tables[0].drift == 0);
    assert_true(r.tables[1].drift == 50);
    assert_true(r.tables[2].drift == 100);
    assert_true(r.tables[3].drift < 0);
    drill_release(&r);
}

static void nothing_to_compare_is_no_drift(void **state)
{
    struct drill_result r = { 0 };

    (void)state;
    drill_production_measure(&r);
    assert_false(r.has_drift);
    add(&r, "empty", true, 0, true, 0);
    drill_production_measure(&r);
    assert_true(r.has_drift);
    assert_true(r.drift == 0);
    drill_release(&r);
}

static void a_small_table_alone_is_never_over_the_limit(void **state)
{
    struct drill_result r = { 0 };

    (void)state;
    add(&r, "small", true, DRIFT_ROWS - 1, true, 0);
    add(&r, "large", true, 10 * DRIFT_ROWS, true, 9 * DRIFT_ROWS);
    add(&r, "larger", true, 100 * DRIFT_ROWS, true, 80 * DRIFT_ROWS);
    drill_production_measure(&r);
    assert_null(drill_production_over(&r, 20));
    assert_string_equal(drill_production_over(&r, 19)->name, "larger");
    assert_string_equal(drill_production_over(&r, 5)->name, "larger"); /* the one that is furthest */
    add(&r, "new", false, 0, true, DRIFT_ROWS);
    drill_production_measure(&r);
    assert_string_equal(drill_production_over(&r, 20)->name, "new");
    drill_release(&r);
}

/* ---- whose databases --------------------------------------------------------------------------------------------- */

static void only_names_that_a_drill_makes_are_a_drills(void **state)
{
    bool filling;
    time_t at;
    char text[CLOCK_TEXT];

    (void)state;
    assert_true(drill_server_is_ours("shop", "shop_drill_20251023-020000", &filling, &at));
    assert_false(filling);
    assert_string_equal(clock_log(text, at), "2025-10-23 02:00:00");
    assert_true(drill_server_is_ours("shop", "shop_drill_20251023-020000_sfb_restore_4711", &filling, &at));
    assert_true(filling);
    assert_true(drill_server_is_ours("a_name_of_more_than_twenty", "a_name_of_more_than__drill_20251023-020000",
                                     &filling, &at));

    assert_false(drill_server_is_ours("shop", "shop", &filling, &at));
    assert_false(drill_server_is_ours("shop", "shop_drill_", &filling, &at));
    assert_false(drill_server_is_ours("shop", "shop_drill_2025", &filling, &at));
    assert_false(drill_server_is_ours("shop", "shop_drill_20251323-020000", &filling, &at));
    assert_false(drill_server_is_ours("shop", "shop_drill_20251023-020000x", &filling, &at));
    assert_false(drill_server_is_ours("shop", "shop_drill_20251023-020000_sfb_restore_", &filling, &at));
    assert_false(drill_server_is_ours("shop", "shop_drill_20251023-020000_sfb_restore_47x", &filling, &at));
    assert_false(drill_server_is_ours("shop", "shopping_drill_20251023-020000", &filling, &at));
    assert_false(drill_server_is_ours("shop", "sho_drill_20251023-020000", &filling, &at));
}

/* ---- the result -------------------------------------------------------------------------------------------------- */

static void a_result_is_whole_from_its_first_moment(void **state)
{
    struct drill_result r;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(drill_result_begin(&r, DRILL_LOCAL, &err), 0);
    assert_int_equal(r.n_checks, DRILL_STEPS);
    for (size_t i = 0; i < r.n_checks; i++) {
        assert_int_equal(r.checks[i].outcome, DRILL_SKIPPED);
        assert_string_equal(r.checks[i].detail, "not reached");
    }
    assert_string_equal(r.environment, "production");
    assert_string_equal(r.backup, "");
    err_set(&err, ERR_CONNECT, "no server");
    err_hint(&err, "start it");
    drill_result_end(&r, -1, &err, 1.5);
    assert_false(r.passed);
    assert_string_equal(r.error, "no server");
    assert_string_equal(r.hint, "start it");
    drill_release(&r);
}

static void warnings_and_what_was_skipped_fail_nothing(void **state)
{
    struct drill_result r;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(drill_result_begin(&r, DRILL_BESIDE, &err), 0);
    assert_int_equal(drill_check_set(&r, STEP_PRODUCTION, DRILL_WARNING, &err, "unreachable"), 0);
    assert_int_equal(drill_judge(&r, &err), 0);
    assert_int_equal(drill_check_set(&r, STEP_SEQUENCES, DRILL_FAILED, &err, "s is at %d", 3), 0);
    assert_int_equal(drill_check_add(&r, "smoke test: SELECT 1", DRILL_FAILED, "division by zero", &err), 0);
    assert_int_equal(drill_judge(&r, &err), -1);
    assert_int_equal(err.class, ERR_PROOF);
    assert_string_equal(err.message, "not so: no sequence is behind (s is at 3)");
    assert_string_equal(err.hint, "and 1 more checks failed, see above");
    drill_release(&r);
}

static void tables_are_found_however_many_there_are(void **state)
{
    struct drill_result r = { 0 };
    char name[20];

    (void)state;
    for (int i = 999; i >= 0; i--) {
        snprintf(name, sizeof name, "t%03d", i);
        add(&r, name, true, (uint64_t)i, false, 0);
    }
    drill_tables_sort(&r);
    assert_int_equal(r.n_tables, 1000);
    assert_int_equal(drill_table_find(r.tables, r.n_tables, "public", "t777")->rows_found, 777);
    assert_null(drill_table_find(r.tables, r.n_tables, "public", "t1000"));
    assert_null(drill_table_find(r.tables, r.n_tables, "other", "t777"));
    assert_null(drill_table_find(r.tables, 0, "public", "t777"));
    drill_release(&r);
}

static void the_recovery_is_what_its_phases_take(void **state)
{
    struct drill_result r = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(drill_phase_add(&r, "fetch", 2, true, &err), 0);
    assert_int_equal(drill_phase_add(&r, "examine", 4, false, &err), 0);
    assert_int_equal(drill_phase_add(&r, "prove", 1, true, &err), 0);
    assert_true(r.recovery_seconds == 3);
    assert_int_equal(r.n_phases, 3);
    drill_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("drift is a part of the larger number", drift_is_a_part_of_the_larger_number),
        PROMISE("what went and what came both count", what_went_and_what_came_both_count),
        PROMISE("nothing to compare is no drift", nothing_to_compare_is_no_drift),
        PROMISE("a small table alone is never over the limit", a_small_table_alone_is_never_over_the_limit),
        PROMISE("only names that a drill makes are a drill's", only_names_that_a_drill_makes_are_a_drills),
        PROMISE("a result is whole from its first moment", a_result_is_whole_from_its_first_moment),
        PROMISE("warnings and what was skipped fail nothing", warnings_and_what_was_skipped_fail_nothing),
        PROMISE("tables are found, however many there are", tables_are_found_however_many_there_are),
        PROMISE("the recovery is what its phases take", the_recovery_is_what_its_phases_take),
    };

    return RUN_PROMISES(tests);
}
