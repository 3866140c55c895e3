/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <errno.h>

#include "core/base/err.h"

static void first_counts(void **state)
{
    struct err err = { 0 };

    (void)state;
    assert_int_equal(err_set(&err, ERR_DUMP, "first %d", 1), -1);
    assert_int_equal(err_set(&err, ERR_STORE, "second"), -1);
    assert_int_equal(err.class, ERR_DUMP);
    assert_string_equal(err.message, "first 1");
}

static void full_disk(void **state)
{
    struct err err = { 0 };

    (void)state;
    errno = ENOSPC;
    assert_int_equal(err_errno(&err, "can't write %s", "x"), -1);
    assert_int_equal(err.class, ERR_SPACE);
    assert_string_equal(err.message, "can't write x: No space left on device");

    err_clear(&err);
    errno = EDQUOT;
    err_errno(&err, "x");
    assert_int_equal(err.class, ERR_SPACE);

    err_clear(&err);
    errno = EACCES;
    err_errno(&err, "x");
    assert_int_equal(err.class, ERR_IO);
    assert_int_equal(errno, EACCES); /* the caller may still look */
}

static void context_keeps_the_rest(void **state)
{
    struct err err = { 0 };

    (void)state;
    err_context(&err, "nothing yet");
    assert_int_equal(err.class, ERR_NONE);
    assert_string_equal(err.message, "");

    err_set(&err, ERR_UPLOAD, "refused");
    err_hint(&err, "again");
    err_context(&err, "part %d", 7);
    assert_string_equal(err.message, "part 7: refused");
    assert_string_equal(err.hint, "again");
    assert_int_equal(err.class, ERR_UPLOAD);
}

static void cut_not_overrun(void **state)
{
    char longest[5000];
    struct err err = { 0 };

    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    err_set(&err, ERR_IO, "%s", longest);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    err_context(&err, "%s", longest);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void cut_between_characters(void **state)
{
    for (int shift = 0; shift < 4; shift++) { /* each way an emoji can lie across the end */
        struct err err = { 0 };
        char text[2000] = "";
        size_t n = (size_t)shift;

        (void)state;
        memset(text, 'x', n);
        for (; n + 4 < sizeof text; n += 4)
            memcpy(text + n, "\xF0\x9F\x93\xA6", 4);
        err_set(&err, ERR_IO, "%s", text);
        n = strlen(err.message);
        assert_true(n >= sizeof err.message - 5);
        assert_int_equal((n - (size_t)shift) % 4, 0);
    }
}

static void null_is_fine(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_IO, "x"), -1);
    err_hint(NULL, "x");
    err_context(NULL, "x");
    err_reclass(NULL, ERR_IO);
    err_clear(NULL);
}

static void reclass_needs_an_error(void **state)
{
    struct err err = { 0 };

    (void)state;
    err_reclass(&err, ERR_NOT_FOUND);
    assert_int_equal(err.class, ERR_NONE);
    err_set(&err, ERR_IO, "x");
    err_reclass(&err, ERR_NOT_FOUND);
    assert_int_equal(err.class, ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("the first failure counts, later ones don't hide it", first_counts),
        PROMISE("a full disk is told apart from other faults of files", full_disk),
        PROMISE("context goes before the message; class and hint stay", context_keeps_the_rest),
        PROMISE("a message that is too long is cut", cut_not_overrun),
        PROMISE("a message is cut between characters, never inside one", cut_between_characters),
        PROMISE("a caller who does not want to know gives NULL", null_is_fine),
        PROMISE("only an error has a class to change", reclass_needs_an_error),
    };
    return RUN_PROMISES(tests);
}
