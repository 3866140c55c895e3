/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <fcntl.h>
#include "core/base/text.h"
#include "core/io/digest.h"

static const char *const md5_abc = "900150983cd24fb0d6963f7d28e17f72";
static const char *const sha_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char *const md5_none = "d41d8cd98f00b204e9800998ecf8427e";
static const char *const sha_none = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static void expect(const struct digest_sum *sum, const char *md5, const char *sha256, uint64_t bytes)
{
    char hex[65];

    assert_string_equal(text_hex(hex, sum->md5, 16), md5);
    assert_string_equal(text_hex(hex, sum->sha256, 32), sha256);
    assert_int_equal(sum->bytes, bytes);
}

static void sums_are_the_standards(void **state)
{
    struct digest *d = digest_new(DIGEST_MD5 | DIGEST_SHA256);
    struct digest_sum sum;

    (void)state;
    digest_end(d, &sum);
    expect(&sum, md5_none, sha_none, 0);
    digest_put(d, "a", 1);
    digest_put(d, "", 0);
    digest_put(d, "bc", 2);
    digest_end(d, &sum);
    expect(&sum, md5_abc, sha_abc, 3);
    digest_free(d);
    digest_free(NULL);
}

static void what_is_not_asked_for_is_zero(void **state)
{
    struct digest *d = digest_new(DIGEST_MD5);
    struct digest_sum sum;

    (void)state;
    digest_put(d, "abc", 3);
    digest_end(d, &sum);
    expect(&sum, md5_abc, "0000000000000000000000000000000000000000000000000000000000000000", 3);
    digest_free(d);
}

static void a_file_is_summed_up(void **state)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    struct digest_sum sum, pieces;
    struct digest *d = digest_new(DIGEST_MD5 | DIGEST_SHA256);
    struct err err = { 0 };
    char block[10007];

    (void)state;
    assert_int_equal(write(fd, "xabcx", 5), 5);
    assert_int_equal(digest_file(fd, 1, 3, DIGEST_MD5 | DIGEST_SHA256, "file", &sum, &err), 0);
    expect(&sum, md5_abc, sha_abc, 3);
    assert_int_equal(digest_file(fd, 5, UINT64_MAX, DIGEST_MD5 | DIGEST_SHA256, "file", &sum, &err), 0);
    expect(&sum, md5_none, sha_none, 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    for (int i = 0; i < 100; i++) {
        memset(block, i, sizeof block);
        assert_int_equal(write(fd, block, sizeof block), sizeof block);
        digest_put(d, block, sizeof block);
    }
    digest_end(d, &pieces);
    assert_int_equal(digest_file(fd, 0, UINT64_MAX, DIGEST_MD5 | DIGEST_SHA256, "file", &sum, &err), 0);
    assert_memory_equal(&sum, &pieces, sizeof sum);
    assert_int_equal(digest_file(fd, 0, UINT64_MAX, DIGEST_SHA256, "file", &sum, &err), 0);
    assert_memory_equal(sum.sha256, pieces.sha256, sizeof sum.sha256);
    assert_int_equal(sum.md5[0] | sum.md5[15], 0);
    digest_free(d);
    close(fd);
}

static void several_ranges_at_once(void **state)
{
    struct digest_range ranges[] = {
        { .which = DIGEST_MD5, .offset = 1, .n = 3 },
        { .which = DIGEST_SHA256, .offset = 1, .n = 3 },
        { .which = DIGEST_XXH3, .offset = 2, .n = UINT64_MAX },
        { .which = DIGEST_XXH3 | DIGEST_SHA256, .offset = 9, .n = 2 },
    };
    struct digest *d = digest_new(DIGEST_XXH3);
    int fd = open("ranges", O_RDWR | O_CREAT, 0600);
    struct digest_sum again;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(write(fd, "xabcx", 5), 5);
    assert_int_equal(digest_ranges(fd, ranges, 4, "file", &err), 0);
    assert_memory_equal(ranges[0].sum.md5, "\x90\x01\x50\x98", 4); /* RFC 1321's of "abc" */
    assert_memory_equal(ranges[1].sum.sha256, "\xba\x78\x16\xbf", 4);
    digest_put(d, "b", 1);
    digest_put(d, "cx", 2);
    digest_end(d, &again);
    assert_memory_equal(ranges[2].sum.xxh3, again.xxh3, sizeof again.xxh3);
    digest_put(d, "bcX", 3);
    digest_end(d, &again);
    assert_memory_not_equal(ranges[2].sum.xxh3, again.xxh3, sizeof again.xxh3);
    assert_int_equal(ranges[3].sum.bytes, 0);
    digest_free(d);
    close(fd);
    assert_int_equal(digest_ranges(-1, ranges, 4, "my.dump", &err), -1);
    assert_int_equal(err.class, ERR_IO);
}

static void a_file_that_fails_is_named(void **state)
{
    struct digest_sum sum;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(digest_file(-1, 0, UINT64_MAX, DIGEST_MD5 | DIGEST_SHA256, "my.dump", &sum, &err), -1);
    assert_int_equal(err.class, ERR_IO);
    assert_non_null(strstr(err.message, "my.dump"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("MD5 and SHA-256 are what the standards say", sums_are_the_standards),
        PROMISE("a sum that was not asked for is zeros", what_is_not_asked_for_is_zero),
        PROMISE_IN_DIR("a file's sums are those of its bytes, and of a part those of the part", a_file_is_summed_up),
        PROMISE_IN_DIR("several ranges of a file are summed up at once, each by its own sum", several_ranges_at_once),
        PROMISE("a file that can't be read is named", a_file_that_fails_is_named),
    };
    return RUN_PROMISES(tests);
}
