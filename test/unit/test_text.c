/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <math.h>

#include "core/base/text.h"

static void sizes(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        { 0, "0 B" },
        { 1, "1 B" },
        { 1023, "1023 B" },
        { 1024, "1.0 KB" },
        { 1536, "1.5 KB" },
        { 1048524, "1023.9 KB" },
        { 1048575, "1.0 MB" }, /* not 1024.0 KB */
        { 1288490189, "1.2 GB" },
        { UINT64_C(1) << 40, "1.0 TB" },
        { UINT64_MAX, "16.0 EB" },
    };
    char out[TEXT_SHORT];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(text_size(out, cases[i].bytes), cases[i].text);
}

static void durations(void **state)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        { 0, "0s" },           { 0.4, "0s" },        { 42, "42s" },        { 59.6, "1m 0s" },         { 206, "3m 26s" },
        { 3599.4, "59m 59s" }, { 3600, "1h 0m 0s" }, { 7501, "2h 5m 1s" }, { 100000, "27h 46m 40s" }, { -5, "0s" },
    };
    char out[TEXT_SHORT];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(text_duration(out, cases[i].seconds), cases[i].text);
    assert_string_equal(text_duration(out, NAN), "0s");
    text_duration(out, INFINITY);
    assert_true(strlen(out) < TEXT_SHORT);
}

static void ages(void **state)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        { 0, "less than a minute" },
        { -5, "less than a minute" },
        { NAN, "less than a minute" },
        { 59.9, "less than a minute" },
        { 60, "1 minute" },
        { 5399, "89 minutes" },
        { 5400, "1 hour" },
        { 7200, "2 hours" },
        { 172799, "47 hours" },
        { 172800, "2 days" },
        { 729 * 86400., "729 days" },
        { 730 * 86400., "2 years" },
    };
    char out[TEXT_SHORT];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(text_age(out, cases[i].seconds), cases[i].text);
    text_age(out, INFINITY);
    assert_true(strlen(out) < TEXT_SHORT);
}

static void counts(void **state)
{
    char out[TEXT_SHORT];

    (void)state;
    assert_string_equal(text_count(out, 0), "0");
    assert_string_equal(text_count(out, 999), "999");
    assert_string_equal(text_count(out, 1000), "1,000");
    assert_string_equal(text_count(out, 1245678), "1,245,678");
    assert_string_equal(text_count(out, UINT64_MAX), "18,446,744,073,709,551,615");
}

static void hexadecimal(void **state)
{
    char out[9];

    (void)state;
    assert_string_equal(text_hex(out, "\x00\x9f\xff\x10", 4), "009fff10");
    assert_string_equal(text_hex(out, "", 0), "");
}

static void numbers(void **state)
{
    uint64_t u = 7;
    int i = 7;

    (void)state;
    assert_true(text_parse_u64("18446744073709551615", &u));
    assert_true(u == UINT64_MAX);
    assert_false(text_parse_u64("18446744073709551616", &u));
    assert_false(text_parse_u64("", &u));
    assert_false(text_parse_u64("-1", &u));
    assert_false(text_parse_u64("+1", &u));
    assert_false(text_parse_u64(" 1", &u));
    assert_false(text_parse_u64("1 ", &u));
    assert_false(text_parse_u64("0x10", &u));
    assert_true(u == UINT64_MAX); /* untouched by what fails */

    assert_true(text_parse_int("-2147483648", INT32_MIN, INT32_MAX, &i));
    assert_int_equal(i, INT32_MIN);
    assert_false(text_parse_int("2147483648", INT32_MIN, INT32_MAX, &i));
    assert_false(text_parse_int("10", 0, 9, &i));
    assert_false(text_parse_int("-", 0, 9, &i));
    assert_false(text_parse_int("--1", -9, 9, &i));
    assert_true(text_parse_int("007", 0, 9, &i));
    assert_int_equal(i, 7);
}

static void booleans(void **state)
{
    bool b = false;

    (void)state;
    assert_true(text_parse_bool("Yes", &b) && b);
    assert_true(text_parse_bool("off", &b) && !b);
    assert_true(text_parse_bool("1", &b) && b);
    assert_true(text_parse_bool("FALSE", &b) && !b);
    assert_false(text_parse_bool("", &b));
    assert_false(text_parse_bool("maybe", &b));
    assert_false(text_parse_bool("true ", &b));
}

static const char *visible(struct buf *b, const char *text)
{
    buf_reset(b);
    text_visible(b, text);
    return b->data;
}

static void made_visible(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    assert_string_equal(visible(&b, "größe ✅ 📦"), "größe ✅ 📦");
    assert_string_equal(visible(&b, "a\nb\tc\r"), "a\\nb\\tc\\r");
    assert_string_equal(visible(&b, "\033[31mred\033[0m"), "\\x1B[31mred\\x1B[0m");
    assert_string_equal(visible(&b, "\x7F"), "\\x7F");
    assert_string_equal(visible(&b, "\xC2\x9B"), "\\xC2\\x9B");                   /* CSI as one character */
    assert_string_equal(visible(&b, "\xE2\x80\xAEtxt"), "\\xE2\\x80\\xAEtxt");    /* turns the line around */
    assert_string_equal(visible(&b, "\xE2\x80\x8Fx"), "\\xE2\\x80\\x8Fx");        /* a mark that turns what follows */
    assert_string_equal(visible(&b, "\xC0\x80"), "\\xC0\\x80");                   /* overlong NUL */
    assert_string_equal(visible(&b, "\xED\xA0\x80"), "\\xED\\xA0\\x80");          /* surrogate */
    assert_string_equal(visible(&b, "\xF4\x90\x80\x80"), "\\xF4\\x90\\x80\\x80"); /* beyond Unicode */
    assert_string_equal(visible(&b, "x\xF0\x9F"), "x\\xF0\\x9F");                 /* cut off at the end */
    assert_string_equal(visible(&b, "\xFFx"), "\\xFFx");
    buf_release(&b);
}

static void distances(void **state)
{
    char longest[100];

    (void)state;
    assert_int_equal(text_distance("", ""), 0);
    assert_int_equal(text_distance("backup", "backup"), 0);
    assert_int_equal(text_distance("bakcup", "backup"), 1); /* two letters swapped */
    assert_int_equal(text_distance("backp", "backup"), 1);
    assert_int_equal(text_distance("backupp", "backup"), 1);
    assert_int_equal(text_distance("", "abc"), 3);
    assert_int_equal(text_distance("kitten", "sitting"), 3);
    memset(longest, 'a', sizeof longest);
    longest[99] = '\0';
    assert_int_equal(text_distance(longest, longest), 0);
    assert_int_equal(text_distance(longest, "a"), 99);
}

static void ends(void **state)
{
    (void)state;
    assert_true(text_starts("s3://x", "s3://"));
    assert_true(text_starts("x", ""));
    assert_false(text_starts("s3:", "s3://"));
    assert_true(text_ends("a.dump", ".dump"));
    assert_false(text_ends("dump", ".dump"));
    assert_true(text_ends("", ""));
}

static void wiped(void **state)
{
    char secret[] = "secret";

    (void)state;
    text_wipe(secret, sizeof secret);
    assert_memory_equal(secret, "\0\0\0\0\0\0", sizeof secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("sizes read as in the contract, and none says 1024.0", sizes),
        PROMISE("durations read as in the contract, whatever the clock did", durations),
        PROMISE("an age is said in words, in one unit", ages),
        PROMISE("counts have a comma every three digits", counts),
        PROMISE("hexadecimal is lower case, two digits a byte", hexadecimal),
        PROMISE("a number is all digits and fits, or it is none", numbers),
        PROMISE("yes and no are understood in the usual words only", booleans),
        PROMISE("nothing that moves a terminal's cursor gets through, everything readable does", made_visible),
        PROMISE("the distance of words counts what fingers get wrong", distances),
        PROMISE("starts and ends compare no further than the text", ends),
        PROMISE("wiped bytes are gone", wiped),
    };
    return RUN_PROMISES(tests);
}
