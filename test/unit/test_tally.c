/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/pg/tally.h"

static const char text[] = "1\tone\n\n2\ttwo words\n\\N\t\n";

static struct tally of(const char *rows, size_t n)
{
    struct tally t = { 0 };

    tally_rows(&t, rows, n);
    return t;
}

static void counts_newlines(void **state)
{
    struct tally t = of(text, sizeof text - 1), none = of("", 0);

    (void)state;
    assert_int_equal(t.rows, 4);
    assert_int_equal(t.bytes, sizeof text - 1);
    assert_int_equal(none.rows, 0);
    assert_true(none.high == 0 && none.low == 0);
}

static void order_does_not_matter(void **state)
{
    struct tally a = of("1\n22\n333\n", 9), b = of("333\n1\n22\n", 9), c = of("1\n22\n334\n", 9), d = of("1\n22\n", 5);

    (void)state;
    assert_true(tally_same(&a, &b));
    assert_false(tally_same(&a, &c));
    struct tally last = of("333\n", 4);
    tally_add(&d, &last);
    assert_true(tally_same(&a, &d));
    assert_int_equal(d.bytes, 9);
}

static void a_row_twice_differs_from_two_others(void **state)
{
    struct tally a = of("x\nx\n", 4), b = of("y\ny\n", 4), c = of("\n\n", 2);

    (void)state;
    assert_false(tally_same(&a, &b));
    assert_false(tally_same(&a, &c));
}

/* Rows of every length around the width in which newlines are looked for. */
static void every_length(void **state)
{
    char rows[200 * 101];
    size_t n = 0;
    struct tally apart = { 0 };

    (void)state;
    for (size_t length = 0; length < 200; length++) {
        struct tally one = { 0 };
        size_t start = n;

        memset(rows + n, 'a' + (int)(length % 26), length);
        n += length;
        rows[n++] = '\n';
        tally_rows(&one, rows + start, n - start);
        assert_int_equal(one.rows, 1);
        tally_add(&apart, &one);
    }
    struct tally whole = of(rows, n);
    assert_int_equal(whole.rows, 200);
    assert_true(tally_same(&whole, &apart));
}

static void cut_anywhere_is_the_same(void **state)
{
    size_t n = sizeof text - 1;
    struct tally expected = of(text, n);
    struct tally_stream *s = tally_stream_new();

    (void)state;
    for (size_t i = 0; i <= n; i++)
        for (size_t k = i; k <= n; k++) {
            struct tally t = { 0 };

            tally_stream_text(s, &t, text, i);
            tally_stream_text(s, &t, text + i, k - i);
            tally_stream_text(s, &t, text + k, n - k);
            assert_true(tally_same(&t, &expected));
            assert_int_equal(t.bytes, n);
        }
    tally_stream_free(s);
}

static void the_end_of_copy_is_no_row(void **state)
{
    static const char ended[] = "1\tone\n\n2\ttwo words\n\\N\t\n\\.\n\n\n";
    struct tally expected = of(text, sizeof text - 1);
    struct tally_stream *s = tally_stream_new();

    (void)state;
    for (size_t i = 0; i < sizeof ended - 1; i++) {
        struct tally t = { 0 };

        tally_stream_text(s, &t, ended, i);
        tally_stream_text(s, &t, ended + i, sizeof ended - 1 - i);
        assert_true(tally_stream_end_copy(s, &t));
        assert_true(tally_same(&t, &expected));
        assert_int_equal(t.bytes, sizeof text - 1);
    }
    struct tally empty = { 0 };
    tally_stream_text(s, &empty, "\\.\n\n\n", 5);
    assert_true(tally_stream_end_copy(s, &empty));
    assert_true(empty.rows == 0 && empty.bytes == 0 && empty.high == 0 && empty.low == 0);
    struct tally cut = { 0 };
    tally_stream_text(s, &cut, "1\n\\.\n\n", 6);
    assert_false(tally_stream_end_copy(s, &cut));
    tally_stream_text(s, &cut, "a\\\\.\n\n\n", 7); /* a row that ends in a backslash and a dot, and two empty ones */
    assert_false(tally_stream_end_copy(s, &cut));
    tally_stream_free(s);
}

static void an_open_row_is_not_counted(void **state)
{
    struct tally_stream *s = tally_stream_new();
    struct tally t = { 0 };

    (void)state;
    tally_stream_text(s, &t, "1\n2", 3);
    assert_int_equal(t.rows, 1);
    tally_stream_free(s);
}

static void an_object_is_its_oid_and_bytes(void **state)
{
    struct tally_stream *s = tally_stream_new();
    struct tally pieces = { 0 }, whole = { 0 }, other = { 0 }, row = of("7:a\nb\n", 6), as_row = { 0 };

    (void)state;
    tally_stream_object_begin(s, 7);
    tally_stream_object_data(s, &pieces, "a\n", 2);
    tally_stream_object_data(s, &pieces, "b", 1);
    tally_stream_object_end(s, &pieces);
    tally_object(&whole, 7, "a\nb", 3);
    tally_object(&other, 8, "a\nb", 3);
    assert_true(tally_same(&pieces, &whole));
    assert_int_equal(whole.bytes, 3);
    assert_int_equal(whole.rows, 1);
    assert_false(tally_same(&other, &whole));
    assert_false(tally_same(&row, &whole));
    tally_object(&as_row, 7, "a", 1);
    row = of("7:a\n", 4);
    assert_true(tally_same(&as_row, &row)); /* one row: "OID:" and the content */
    tally_stream_free(s);
}

static void fingerprints_are_text(void **state)
{
    struct tally t = of(text, sizeof text - 1), read = { 0 };
    char out[TALLY_TEXT];

    (void)state;
    assert_true(tally_parse_fingerprint(tally_fingerprint(out, &t), &read));
    assert_true(read.high == t.high && read.low == t.low);
    assert_int_equal(strlen(out), 32);
    assert_false(tally_parse_fingerprint("12", &read));
    assert_false(tally_parse_fingerprint("zz000000000000000000000000000000", &read));
    assert_false(tally_parse_fingerprint("000000000000000000000000000000000", &read));
    /* Manifests outlive versions of sfb: the fingerprint of given rows is for ever. */
    struct tally known = of("hello\n", 6);
    assert_string_equal(tally_fingerprint(out, &known), "b5e9c1ad071b3e7fc779cfaa5e523818");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("every newline is a row, and text without one is none", counts_newlines),
        PROMISE("a fingerprint does not depend on the order of the rows, but on each byte of them",
                order_does_not_matter),
        PROMISE("the same row twice is not nothing", a_row_twice_differs_from_two_others),
        PROMISE("rows of every length are found", every_length),
        PROMISE("text that comes in pieces, cut anywhere, is tallied like the whole", cut_anywhere_is_the_same),
        PROMISE("the mark that ends COPY text is not counted, and missed when it is not there",
                the_end_of_copy_is_no_row),
        PROMISE("a row without its newline is not counted", an_open_row_is_not_counted),
        PROMISE("a large object is one row: its oid and its content", an_object_is_its_oid_and_bytes),
        PROMISE("a fingerprint is 32 digits that never change", fingerprints_are_text),
    };
    return RUN_PROMISES(tests);
}
