/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/io/digest.h"
#include "core/io/md5x.h"
#include "core/store/s3_sums.h"

static uint8_t *lanes[MD5X_LANES];
#define SIZE (200 * 1024)

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < MD5X_LANES; i++) {
        lanes[i] = malloc(SIZE);
        for (size_t at = 0; at < SIZE; at++)
            lanes[i][at] = (uint8_t)(at * 31 + (at >> 8) * 7 + (size_t)i * 101);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < MD5X_LANES; i++)
        free(lanes[i]);
    return 0;
}

static void expect(uint8_t sums[MD5X_LANES][16], unsigned used, size_t n)
{
    for (unsigned i = 0; i < used; i++) {
        struct digest *d = digest_new(DIGEST_MD5);
        struct digest_sum sum;

        digest_put(d, lanes[i], n);
        digest_end(d, &sum);
        digest_free(d);
        assert_memory_equal(sums[i], sum.md5, 16);
    }
}

static void all_sizes(void **state)
{
    uint8_t sums[MD5X_LANES][16];
    struct md5x m;

    (void)state;
    for (size_t n = 0; n < 300; n++) {
        unsigned used = n % 2 ? MD5X_LANES : 1 + (unsigned)(n / 2) % MD5X_LANES;

        md5x_init(&m, used);
        md5x_end(&m, (const uint8_t *const *)lanes, n, sums);
        expect(sums, used, n);
    }
}

static void in_pieces(void **state)
{
    const uint8_t *at[MD5X_LANES];
    uint8_t sums[MD5X_LANES][16];
    struct md5x m;

    (void)state;
    for (unsigned used = 1; used <= MD5X_LANES; used++) {
        md5x_init(&m, used);
        md5x_put(&m, (const uint8_t *const *)lanes, 64);
        for (int i = 0; i < MD5X_LANES; i++)
            at[i] = lanes[i] + 64;
        md5x_put(&m, at, 128 * 64);
        for (int i = 0; i < MD5X_LANES; i++)
            at[i] += 128 * 64;
        md5x_end(&m, at, 12345, sums);
        expect(sums, used, 64 + 128 * 64 + 12345);
    }
}

/* Parts of a file and of memory: the same sums; a file that is too short is no part. */
static void of_parts(void **state)
{
    enum { N = 21 };
    struct part parts[N] = { { 0 } }, *list[N];
    struct err err = { 0 };
    FILE *f = tmpfile();
    size_t size = 70001;

    (void)state;
    for (int i = 0; i < N; i++) {
        list[i] = &parts[i];
        parts[i].size = size;
        parts[i].offset = (uint64_t)i * size;
        assert_int_equal(fwrite(lanes[i], 1, size, f), size);
    }
    fflush(f);
    assert_int_equal(s3_sums_many(list, N, fileno(f), &err), 0);
    for (int i = 0; i < N; i++) {
        uint8_t from_file[16];
        struct digest_sum sum;

        memcpy(from_file, parts[i].md5, 16);
        parts[i].bytes = (char *)lanes[i];
        parts[i].summed = false;
        assert_int_equal(s3_sums_many(list, N, fileno(f), &err), 0);
        assert_true(parts[i].summed);
        assert_memory_equal(parts[i].md5, from_file, 16);
        assert_int_equal(s3_sums_one(DIGEST_MD5, NULL, fileno(f), parts[i].offset, size, &sum, &err), 0);
        assert_memory_equal(sum.md5, from_file, 16);
        parts[i].bytes = NULL;
    }
    parts[N - 1].offset++;
    assert_int_equal(s3_sums_many(list, N, fileno(f), &err), -1);
    assert_int_equal(err.class, ERR_IO);
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("MD5s side by side are those that one at a time gives, for every size and number", all_sizes),
        PROMISE("pieces make the same sum as the whole", in_pieces),
        PROMISE("parts of a file and of memory have the same sums; a short file has none", of_parts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
