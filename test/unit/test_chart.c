/* SPDX-License-Identifier: PostgreSQL */
/* test_chart.c - charts: round grids, honest gaps, and data of any kind and number. */
#include "test/unit/unit.h"

#include <math.h>

#include "core/watch/chart.h"

#define DAY 86400

static struct buf out;

static size_t count(const char *needle)
{
    size_t n = 0;

    for (const char *at = out.data; (at = strstr(at, needle)) != NULL; at++)
        n++;
    return n;
}

static void values(void **state)
{
    static const struct {
        enum chart_unit unit;
        double value;
        const char *text;
    } cases[] = {
        { CHART_SECONDS, 0, "0s" },
        { CHART_SECONDS, 0.25, "0.2s" },
        { CHART_SECONDS, 3, "3s" },
        { CHART_SECONDS, 6.1, "6.1s" },
        { CHART_SECONDS, 59.7, "1m" },
        { CHART_SECONDS, 90, "1m 30s" },
        { CHART_SECONDS, 3600, "1h" },
        { CHART_SECONDS, 5400, "1h 30m" },
        { CHART_SECONDS, 3601, "1h 1s" },
        { CHART_SECONDS, 36001, "10h" },
        { CHART_SECONDS, 1e300, "1000000000h" },
        { CHART_BYTES, 0, "0 B" },
        { CHART_BYTES, 512, "512 B" },
        { CHART_BYTES, 536870912, "512 MB" },
        { CHART_BYTES, 1610612736, "1.5 GB" },
        { CHART_BYTES, 1e300, "16 EB" },
        { CHART_COUNT, 1245678, "1,245,678" },
        { CHART_COUNT, NAN, "not known" },
        { CHART_SECONDS, -1, "not known" },
        { CHART_BYTES, INFINITY, "not known" },
    };
    char text[CHART_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(chart_value(text, cases[i].unit, cases[i].value), cases[i].text);
}

static void grids(void **state)
{
    static const double most[] = { 0, 1e-9, 0.05, 1, 3.9, 4, 59, 61, 900, 86399, 1e7, 1e12, 1e17, 1e30 };

    (void)state;
    for (int unit = CHART_SECONDS; unit <= CHART_COUNT; unit++)
        for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
            double step = chart_step((enum chart_unit)unit, most[i]);

            assert_true(step > 0 && isfinite(step));
            assert_true(most[i] / step <= 4 + 1e-9);
        }
    assert_true(chart_step(CHART_SECONDS, 300) == 120);
    assert_true(chart_step(CHART_SECONDS, 402) == 120);
    assert_true(chart_step(CHART_SECONDS, 7200) == 1800);
    assert_true(chart_step(CHART_COUNT, 4403324) == 2000000);
    assert_true(chart_step(CHART_COUNT, 3) == 1);
    assert_true(chart_step(CHART_BYTES, 1288490189) == 536870912);
    assert_true(isfinite(chart_step(CHART_COUNT, NAN)));
    assert_true(isfinite(chart_step(CHART_BYTES, INFINITY)));
    assert_true(isfinite(chart_step(CHART_SECONDS, 1e308)));
}

static void draw(const struct chart_point *points, size_t n, double limit)
{
    buf_reset(&out);
    chart_series(&out, &(struct chart_series){ .id = "x",
                                               .title = "A <title>",
                                               .what = "drills",
                                               .unit = CHART_SECONDS,
                                               .points = points,
                                               .n = n,
                                               .limit = limit,
                                               .rule = "limit" });
    assert_false(out.failed);
    assert_int_equal(count("<figure>"), 1);
    assert_int_equal(count("</figure>"), 1);
    assert_int_equal(count("<svg"), count("</svg>"));
    assert_null(strstr(out.data, "nan"));
    assert_null(strstr(out.data, "inf"));
    assert_null(strstr(out.data, "<title>A <"));
}

static void none_and_one(void **state)
{
    struct chart_point point = { .at = 1761973980, .value = 42 };

    (void)state;
    buf_init(&out, 1000000);
    draw(NULL, 0, 0);
    assert_non_null(strstr(out.data, "No drills yet."));
    assert_int_equal(count("<svg"), 0);
    draw(&point, 1, 0);
    assert_int_equal(count("<circle"), 1);
    assert_int_equal(count("<polyline"), 0);
    assert_non_null(strstr(out.data, "cx=\"50.00%\""));
    assert_non_null(strstr(out.data, "<title>2025-11-01: 42s</title>"));
    point.value = 0;
    draw(&point, 1, 0);
    assert_int_equal(count("<circle"), 1);
    point.value = NAN;
    draw(&point, 1, 0);
    assert_non_null(strstr(out.data, "No drills yet."));
    point.bad = true;
    draw(&point, 1, 0);
    assert_int_equal(count("class=\"cross\""), 1);
    assert_non_null(strstr(out.data, "1 failed"));
    buf_release(&out);
}

static void gaps(void **state)
{
    struct chart_point p[] = { { 1 * DAY, 10, false },       { 2 * DAY, 20, false }, { 3 * DAY, NAN, true },
                               { 4 * DAY, INFINITY, false }, { 5 * DAY, -1, false }, { 6 * DAY, 30, false },
                               { 7 * DAY, 40, false },       { 7 * DAY, 35, false } };

    (void)state;
    buf_init(&out, 1000000);
    draw(p, 8, 0);
    assert_int_equal(count("<polyline"), 2); /* nothing is drawn where nothing is known */
    assert_int_equal(count("<circle"), 5);
    assert_int_equal(count("class=\"cross\""), 1);
    assert_non_null(strstr(out.data, "8 drills from 1970-01-02 to 1970-01-08, 1 failed: lowest 10s, highest 40s, "
                                     "latest 35s"));
    buf_release(&out);
}

static void thousands(void **state)
{
    static struct chart_point p[100000];
    size_t n = sizeof p / sizeof p[0];

    (void)state;
    for (size_t i = 0; i < n; i++)
        p[i] = (struct chart_point){ (time_t)i * DAY, 100 + (double)(i % 10), false };
    p[54321].value = 5000;
    p[77777].bad = true;
    buf_init(&out, 1000000);
    draw(p, 1000, 0);
    draw(p, n, 0);
    assert_true(out.size < 64000);
    assert_non_null(strstr(out.data, "highest 1h 23m 20s")); /* no peak is thinned away, */
    assert_int_equal(count("class=\"cross\""), 1);           /* and no failure */
    buf_release(&out);
}

static void disorder(void **state)
{
    struct chart_point p[] = { { 5 * DAY, 10, false }, { 1 * DAY, 20, false }, { 9 * DAY, 15, false } };

    (void)state;
    buf_init(&out, 1000000);
    draw(p, 3, 0); /* a clock that was set back: nothing leaves the picture */
    assert_null(strstr(out.data, "cx=\"-"));
    draw(p, 3, 18);
    assert_int_equal(count("<line class=\"limit\""), 1);
    assert_non_null(strstr(out.data, ">limit 18s</text>"));
    draw(p, 3, 3600); /* far above: told, not drawn */
    assert_int_equal(count("<line class=\"limit\""), 0);
    assert_non_null(strstr(out.data, "; limit 1h"));
    buf_release(&out);
}

static void spans(void **state)
{
    struct chart_span s[] = {
        { "fetch <b>", 30, false }, { "restore", 60, false }, { "smoke", 10, true }, { "odd", NAN, false }
    };

    (void)state;
    buf_init(&out, 1000000);
    chart_spans(&out, "phases", "Phases", s, 4);
    assert_non_null(strstr(out.data, "1m 40s in all"));
    assert_non_null(strstr(out.data, "x=\"30.00%\" y=\"62\" width=\"60.00%\"")); /* begins where the last one ended */
    assert_non_null(strstr(out.data, "smoke (drill only)"));
    assert_null(strstr(out.data, "<b>"));
    assert_null(strstr(out.data, "nan%"));
    buf_reset(&out);
    for (size_t i = 0; i < 4; i++)
        s[i].seconds = 0;
    chart_spans(&out, "phases", "Phases", s, 4); /* all too short to be measured */
    assert_int_equal(count("class=\"bar"), 0);
    chart_spans(&out, "phases", "Phases", NULL, 0);
    assert_false(out.failed);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("values are said as shortly as they can be", values),
        PROMISE("a grid has round steps, and few of them, whatever the values", grids),
        PROMISE("no point is no chart, and one point is a dot", none_and_one),
        PROMISE("what is not known is a gap, and what failed a cross", gaps),
        PROMISE("of a hundred thousand points neither peak nor failure is lost", thousands),
        PROMISE("points out of order and limits out of reach stay within the picture", disorder),
        PROMISE("a span begins where the one before it ended", spans),
    };

    return RUN_PROMISES(tests);
}
