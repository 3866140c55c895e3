/* SPDX-License-Identifier: PostgreSQL */
/* test_witness.c - what passes a witness is known as well as what was read back. */
#include "test/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "core/io/digest.h"
#include "core/pg/witness.h"
#include "test/unit/archive_build.h"
#include "test/unit/archive_memory.h"

/* Rows that do not compress, in segments of several megabytes. */
static void make_archive(struct memory_sink *out, enum archive_method method, struct err *err)
{
    struct built b = { 0 };
    struct transcode_result r;
    size_t n = 3000000;
    char *text = malloc(n + 1);
    uint32_t seed = 7;

    for (size_t i = 0; i < n; i++)
        text[i] = i % 97 == 96 ? '\n' : (char)('a' + b_random(&seed) % 26);
    text[n - 1] = '\n';
    text[n] = '\0';
    b_header(&b, 15, 0);
    b_int(&b, 3);
    b_table(&b, 1);
    b_table(&b, 2);
    b_table(&b, 3);
    b_rows(&b, 0, 1, text, 60000);
    b_rows(&b, 0, 2, "", 100);
    b_rows(&b, 0, 3, "x\ny\n", 100);
    struct transcode_params p = {
        .in_fd = memory_fd(b.bytes, b.n), .sink = { NULL, sink_write, sink_patch, out }, .method = method, .level = 1
    };
    assert_int_equal(transcode(&p, &r, err), 0);
    close(p.in_fd);
    transcode_result_release(&r);
    free(text);
    b_free(&b);
}

static int pass(const void *bytes, size_t n, size_t step, struct walk_result *out, struct err *err)
{
    struct witness *w = witness_new(2, err);
    int rc = 0;

    for (size_t at = 0; rc == 0 && at < n; at += step)
        rc = witness_write(w, (const char *)bytes + at, n - at < step ? n - at : step, err);
    if (rc == 0)
        rc = witness_finish(w, out, err);
    witness_free(w);
    return rc;
}

static void same_as_read(void **state)
{
    static const enum archive_method methods[] = { ARCHIVE_NONE, ARCHIVE_GZIP, ARCHIVE_ZSTD };
    static const size_t steps[] = { 7777, 1 << 20, SIZE_MAX / 2 };

    (void)state;
    for (size_t m = 0; m < 3; m++)
        for (size_t s = 0; s < 3; s++) {
            struct memory_sink out = { 0 };
            struct walk_result seen, read;
            struct err err = { 0 };

            make_archive(&out, methods[m], &err);
            assert_int_equal(pass(out.bytes, out.n, steps[s], &seen, &err), 0);
            assert_int_equal(memory_walk(out.bytes, out.n, 2, &read, &err), 0);
            assert_int_equal(seen.blocks.n, 3);
            assert_true(tally_same(&seen.tables, &read.tables));
            for (size_t i = 0; i < 3; i++)
                assert_true(tally_same(&seen.blocks.items[i].tally, &read.blocks.items[i].tally));
            walk_result_release(&seen);
            walk_result_release(&read);
            free(out.bytes);
        }
}

static void damage(void **state)
{
    struct memory_sink out = { 0 };
    struct walk_result seen;
    struct err err = { 0 };

    (void)state;
    make_archive(&out, ARCHIVE_GZIP, &err);
    for (size_t cut = out.n - 1; cut > 0; cut = cut * 2 / 3) { /* too early an end */
        assert_int_equal(pass(out.bytes, cut, 100000, &seen, &err), -1);
        assert_int_equal(err.class, ERR_DAMAGED);
        err_clear(&err);
    }
    for (size_t at = out.n / 10; at < out.n; at += out.n / 10) { /* a bit */
        out.bytes[at] ^= 4;
        assert_int_equal(pass(out.bytes, out.n, 100000, &seen, &err), -1);
        assert_int_equal(err.class, ERR_DAMAGED);
        err_clear(&err);
        out.bytes[at] ^= 4;
    }
    out.bytes = realloc(out.bytes, out.n + 1); /* more than there should be */
    out.bytes[out.n] = 0;
    assert_int_equal(pass(out.bytes, out.n + 1, 100000, &seen, &err), -1);
    assert_int_equal(err.class, ERR_DAMAGED);
    free(out.bytes);
}

static void given_up(void **state)
{
    struct memory_sink out = { 0 };
    struct err err = { 0 };

    (void)state;
    make_archive(&out, ARCHIVE_GZIP, &err);
    for (size_t n = 0; n < out.n; n += out.n / 3) { /* whoever writes has trouble of his own, and leaves */
        struct witness *w = witness_new(2, &err);

        assert_int_equal(witness_write(w, out.bytes, n, &err), 0);
        witness_free(w);
    }
    witness_free(NULL);
    free(out.bytes);
}

/* As a backup's file grows: written by us, step by step, and read back by the witness. The contents change in the end. */
static int grow(const char *bytes, size_t n, size_t step, size_t contents, struct walk_result *out, uint8_t sum[16],
                struct err *err)
{
    int fd = open("growing", O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct witness *w = witness_follow(fd, contents, "growing", 2, err);
    int rc = 0;

    for (size_t at = 0; rc == 0 && at < n; at += step) {
        size_t piece = n - at < step ? n - at : step;

        assert_int_equal(write(fd, bytes + at, piece), piece);
        rc = witness_advance(w, at + piece, err);
    }
    if (rc == 0)
        rc = witness_finish(w, out, err);
    if (rc == 0)
        witness_sum(w, sum);
    witness_free(w);
    close(fd);
    return rc;
}

static void a_growing_file(void **state)
{
    static const size_t steps[] = { 7777, 1 << 20, SIZE_MAX / 2 };
    size_t contents;

    (void)state;
    for (size_t s = 0; s < 3; s++) {
        struct digest *d = digest_new(DIGEST_XXH3);
        struct memory_sink out = { 0 };
        struct walk_result seen, read;
        struct digest_sum expected;
        struct err err = { 0 };
        uint8_t sum[16];

        make_archive(&out, ARCHIVE_GZIP, &err);
        assert_int_equal(memory_walk(out.bytes, out.n, 2, &read, &err), 0);
        contents = read.toc.data_at;
        assert_int_equal(grow((char *)out.bytes, out.n, steps[s], contents, &seen, sum, &err), 0);
        assert_true(tally_same(&seen.tables, &read.tables));
        digest_put(d, out.bytes + contents, out.n - contents);
        digest_end(d, &expected);
        assert_memory_equal(sum, expected.xxh3, sizeof sum);
        walk_result_release(&seen);
        walk_result_release(&read);
        digest_free(d);
        free(out.bytes);
    }
}

static void a_growing_file_that_is_damaged(void **state)
{
    struct memory_sink out = { 0 };
    struct walk_result seen;
    struct err err = { 0 };
    uint8_t sum[16];

    (void)state;
    make_archive(&out, ARCHIVE_GZIP, &err);
    for (size_t cut = out.n - 1; cut > 0; cut = cut * 2 / 3) { /* it stops growing */
        assert_int_equal(grow((char *)out.bytes, cut, 100000, 1000, &seen, sum, &err), -1);
        assert_int_equal(err.class, ERR_DAMAGED);
        err_clear(&err);
    }
    for (size_t at = out.n / 10; at < out.n; at += out.n / 10) {
        out.bytes[at] ^= 4;
        assert_int_equal(grow((char *)out.bytes, out.n, 100000, 1000, &seen, sum, &err), -1);
        assert_int_equal(err.class, ERR_DAMAGED);
        err_clear(&err);
        out.bytes[at] ^= 4;
    }
    free(out.bytes);
}

/* The writer has trouble of his own while the witness waits for more. */
static void a_growing_file_is_given_up(void **state)
{
    struct err err = { 0 };
    int fd = open("growing", O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct witness *w = witness_follow(fd, 1000, "growing", 2, &err);

    (void)state;
    assert_int_equal(witness_advance(w, 0, &err), 0);
    witness_free(w);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("what passes is counted as what is read", same_as_read),
        PROMISE("what is not whole is found out while it passes", damage),
        PROMISE("a witness can be left at any time", given_up),
        PROMISE_IN_DIR("a file that grows is read back, counted and summed up", a_growing_file),
        PROMISE_IN_DIR("what is not whole in it is found out", a_growing_file_that_is_damaged),
        PROMISE_IN_DIR("a file that stops growing does not keep its witness", a_growing_file_is_given_up),
    };

    signal(SIGPIPE, SIG_IGN); /* as main() has it */
    return RUN_PROMISES(tests);
}
