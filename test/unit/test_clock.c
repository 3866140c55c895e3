/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/base/clock.h"

static void formats(void **state)
{
    char out[CLOCK_TEXT];

    (void)state;
    assert_string_equal(clock_log(out, 1761229935), "2025-10-23 14:32:15");
    assert_string_equal(clock_stamp(out, 1761229935), "20251023-143215");
    assert_string_equal(clock_iso(out, 1761229935), "2025-10-23T14:32:15Z");
    assert_string_equal(clock_date(out, 1761229935), "2025-10-23");
    assert_string_equal(clock_iso(out, 0), "1970-01-01T00:00:00Z");
    clock_iso(out, (time_t)INT64_MAX); /* any answer, as long as it is one */
    assert_true(strlen(out) < CLOCK_TEXT);
}

static void local_zone_is_ignored(void **state)
{
    char out[CLOCK_TEXT];
    time_t t = 0;

    (void)state;
    setenv("TZ", "America/New_York", 1);
    tzset();
    assert_string_equal(clock_log(out, 1761229935), "2025-10-23 14:32:15");
    assert_true(clock_parse_iso("2025-10-23T14:32:15", &t));
    assert_int_equal(t, 1761229935);
    unsetenv("TZ");
    tzset();
}

static void iso(void **state)
{
    static const struct {
        const char *text;
        time_t t;
    } good[] = {
        { "2025-10-23", 1761177600 },
        { "2025-10-23T12:00", 1761220800 },
        { "2025-10-23T12:00:00Z", 1761220800 },
        { "2025-10-23 12:00:00", 1761220800 },
        { "2025-10-23t12:00:00z", 1761220800 },
        { "2025-10-23T12:00:00.999999Z", 1761220800 },
        { "2025-10-23T14:00:00+02:00", 1761220800 },
        { "2025-10-23T14:00:00+0200", 1761220800 },
        { "2025-10-23T14:00+02", 1761220800 },
        { "2025-10-23T06:30:00-05:30", 1761220800 },
        { "2025-10-24T00:30:00+12:30", 1761220800 },
        { "2024-02-29", 1709164800 },
        { "2000-02-29T00:00:00Z", 951782400 },
        { "1969-12-31T23:59:59Z", -1 },
        { "2026-01-01T00:00:00+00:00", 1767225600 },
    };
    static const char *const bad[] = {
        "",
        "now",
        "2025",
        "2025-10",
        "2025-1-2",
        "2025-13-01",
        "2025-00-01",
        "2025-02-29",
        "2100-02-29",
        "2025-04-31",
        "2025-10-00",
        "2025-10-32",
        "2025-10-23T",
        "2025-10-23T12",
        "2025-10-23T24:00",
        "2025-10-23T12:60",
        "2025-10-23T12:00:60",
        "2025-10-23T12:00:00.",
        "2025-10-23T12:00:00+",
        "2025-10-23T12:00:00+2",
        "2025-10-23T12:00:00+02:60",
        "2025-10-23T12:00:00+16",
        "2025-10-23T12:00:00+02:",
        "2025-10-23T12:00:00ZZ",
        "2025-10-23T12:00:00 UTC",
        "2025-10-23Z",
        " 2025-10-23",
        "2025-10-23 ",
        "2025/10/23",
        "20251023",
        "-025-10-23",
        "2025-10-23T-1:00",
        "+025-10-23",
        "2025-10-23T12:00:00+0a",
    };
    time_t t = 42;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!clock_parse_iso(good[i].text, &t) || t != good[i].t)
            fail_msg("%s became %lld", good[i].text, (long long)t);
    }
    t = 42;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (clock_parse_iso(bad[i], &t))
            fail_msg("\"%s\" was taken for a time", bad[i]);
    assert_int_equal(t, 42);
}

static void stamps(void **state)
{
    time_t t = 0;

    (void)state;
    assert_true(clock_parse_stamp("20251023-143215.dump", &t));
    assert_int_equal(t, 1761229935);
    assert_true(clock_parse_stamp("20240229-000000", &t));
    assert_false(clock_parse_stamp("20250229-000000", &t));
    assert_false(clock_parse_stamp("20251023-246015", &t));
    assert_false(clock_parse_stamp("20251023-14321", &t));
    assert_false(clock_parse_stamp("20251023143215", &t));
    assert_false(clock_parse_stamp("", &t));
}

static void there_and_back(void **state)
{
    char out[CLOCK_TEXT];
    time_t back = 0;

    (void)state;
    for (time_t t = 0; t < 5000000000; t += 12345678) {
        assert_true(clock_parse_iso(clock_iso(out, t), &back) && back == t);
        assert_true(clock_parse_stamp(clock_stamp(out, t), &back) && back == t);
    }
}

static void weeks_and_months(void **state)
{
    char out[CLOCK_TEXT];
    time_t t = 0;

    (void)state;
    assert_string_equal(clock_iso(out, clock_week_start(1761229935)), "2025-10-20T00:00:00Z"); /* from a Thursday */
    clock_parse_iso("2025-10-20", &t);
    assert_int_equal(clock_week_start(t), t);
    assert_string_equal(clock_date(out, clock_week_start(t - 1)), "2025-10-13"); /* Sunday night is the week before's */
    clock_parse_iso("2026-01-01", &t);
    assert_string_equal(clock_date(out, clock_week_start(t)), "2025-12-29");
    clock_parse_iso("2024-02-29T23:59:59Z", &t);
    assert_string_equal(clock_iso(out, clock_month_start(t)), "2024-02-01T00:00:00Z");
    assert_string_equal(clock_date(out, clock_week_start(-1)), "1969-12-29");
    assert_string_equal(clock_date(out, clock_month_start(-1)), "1969-12-01");
}

static void given_now(void **state)
{
    (void)state;
    setenv("SFB_TEST_NOW", "1761229935", 1);
    assert_int_equal(clock_now(), 1761229935);
    setenv("SFB_TEST_NOW", "soon", 1);
    assert_true(clock_now() > 1761229935);
    unsetenv("SFB_TEST_NOW");
    assert_true(clock_now() > 1761229935);
    assert_true(clock_monotonic() <= clock_monotonic());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("times read as in the contract", formats),
        PROMISE("times are UTC wherever the machine stands", local_zone_is_ignored),
        PROMISE("ISO 8601 is understood, and a day or hour that does not exist is refused", iso),
        PROMISE("the stamp in a backup's name is understood, and only a real one", stamps),
        PROMISE("every time survives being written and read", there_and_back),
        PROMISE("weeks start on Monday, months on the first, before 1970 too", weeks_and_months),
        PROMISE("SFB_TEST_NOW moves the clock, nonsense in it does not", given_now),
    };
    return RUN_PROMISES(tests);
}
