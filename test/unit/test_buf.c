/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/base/buf.h"

static void untouched_is_text(void **state)
{
    struct buf b, zeroed = { 0 };

    (void)state;
    buf_init(&b, 10);
    assert_string_equal(b.data, "");
    assert_int_equal(b.size, 0);
    buf_release(&b);
    buf_release(&zeroed);
    assert_string_equal(zeroed.data, "");
}

static void exactly_full(void **state)
{
    struct err err = { 0 };
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    buf_puts(&b, "hello");
    assert_int_equal(buf_check(&b, &err), 0);
    assert_string_equal(b.data, "hello");
    buf_putc(&b, '!');
    assert_int_equal(buf_check(&b, &err), -1);
    assert_int_equal(err.class, ERR_INTERNAL);
    assert_string_equal(b.data, "hello"); /* what it had */
    buf_cut(&b, 2);
    buf_puts(&b, "y");
    assert_string_equal(b.data, "he"); /* failed: ignores what comes, though there were room */
    buf_reset(&b);
    buf_puts(&b, "again");
    assert_int_equal(buf_check(&b, NULL), 0);
    assert_string_equal(b.data, "again");
    buf_release(&b);
}

static void printf_whole_or_nothing(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 8);
    buf_printf(&b, "%s=%d", "abc", 12);
    assert_string_equal(b.data, "abc=12");
    buf_printf(&b, "%s", "xyz");
    assert_true(b.failed);
    assert_string_equal(b.data, "abc=12");
    buf_release(&b);
}

static void grows(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000000);
    for (int i = 0; i < 100000; i++)
        buf_add(&b, "0123456789", 10);
    assert_false(b.failed);
    assert_int_equal(b.size, 1000000);
    assert_int_equal(b.data[b.size], 0);
    assert_true(b.capacity <= 1000001);
    buf_release(&b);
}

static void holds_zero_bytes(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    buf_add(&b, "a\0b", 3);
    assert_int_equal(b.size, 3);
    assert_memory_equal(b.data, "a\0b", 4);
    buf_release(&b);
}

static void reserve_and_commit(void **state)
{
    struct buf b;
    char *room;

    (void)state;
    buf_init(&b, 100);
    room = buf_reserve(&b, 100);
    assert_non_null(room);
    memset(room, 'z', 100);
    buf_commit(&b, 40);
    assert_int_equal(b.size, 40);
    assert_int_equal(strlen(b.data), 40);
    assert_null(buf_reserve(&b, 61));
    assert_true(b.failed);
    buf_release(&b);
}

static void take_gives_away(void **state)
{
    struct err err = { 0 };
    struct buf b;
    char *text;

    (void)state;
    buf_init(&b, 10);
    text = buf_take(&b, &err);
    assert_string_equal(text, "");
    free(text);
    buf_puts(&b, "mine");
    text = buf_take(&b, &err);
    assert_string_equal(text, "mine");
    assert_int_equal(b.size, 0);
    assert_string_equal(b.data, "");
    free(text);
    buf_puts(&b, "0123456789x");
    assert_null(buf_take(&b, &err));
    assert_int_equal(err.class, ERR_INTERNAL);
    buf_release(&b);
}

static void no_overflow(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    buf_puts(&b, "x");
    assert_false(b.failed);
    assert_null(buf_reserve(&b, SIZE_MAX - 1));
    assert_true(b.failed);
    assert_string_equal(b.data, "x");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("an untouched buffer is an empty string", untouched_is_text),
        PROMISE("a buffer holds exactly its maximum, and remembers that more did not fit", exactly_full),
        PROMISE("a formatted text is in whole or not at all", printf_whole_or_nothing),
        PROMISE("a buffer grows to its maximum and takes no more memory than that", grows),
        PROMISE("bytes may be zero", holds_zero_bytes),
        PROMISE("reserved bytes count when they are committed", reserve_and_commit),
        PROMISE("a taken text is the caller's, the buffer is empty again", take_gives_away),
        PROMISE("a length that overflows is refused", no_overflow),
    };
    return RUN_PROMISES(tests);
}
