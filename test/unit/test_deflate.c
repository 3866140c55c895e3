/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <zlib.h>
#include "core/io/deflate.h"
#include "test/unit/archive_build.h"

static uint8_t *noise(size_t n, unsigned of, uint32_t seed)
{
    uint8_t *bytes = malloc(n + 1);

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(b_random(&seed) % of);
    return bytes;
}

/* Inflates with zlib; returns how much came out. */
static size_t inflate_all(const uint8_t *in, size_t n, int window, uint8_t *out, size_t room)
{
    z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)n, .next_out = out, .avail_out = (uInt)room };

    assert_int_equal(inflateInit2(&z, window), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    inflateEnd(&z);
    return z.total_out;
}

static void segments_join_to_one_stream(void **state)
{
    static const size_t sizes[] = { 1, 2, 7, 55, 56, 57, 100, 1000, 65535, 65536, 200000, 1 };
    static const unsigned kinds[] = { 1, 2, 4, 26, 256 };

    (void)state;
    for (int level = 0; level <= 9; level++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            struct deflater *d = deflater_new(level);
            struct built stream = { 0 }, text = { 0 };
            uint32_t adler = 1, crc = 0;
            uint8_t header[2];

            deflate_zlib_header(level, header);
            b_bytes(&stream, header, 2);
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                uint8_t *in = noise(sizes[i], kinds[k], (uint32_t)i);
                uint8_t *out = malloc(deflater_bound(sizes[i]));
                int last = i + 1 == sizeof sizes / sizeof *sizes;
                size_t n = deflater_segment(d, in, sizes[i], last, out);

                assert_true(n > 0);
                if (!last)
                    assert_memory_equal(out + n - 4, "\0\0\xff\xff", 4);
                b_bytes(&stream, out, n);
                b_bytes(&text, in, sizes[i]);
                adler = deflate_adler32_join(adler, deflate_adler32(in, sizes[i]), sizes[i]);
                crc = deflate_crc32_join(crc, deflate_crc32(in, sizes[i]), sizes[i]);
                free(in);
                free(out);
            }
            for (int shift = 24; shift >= 0; shift -= 8)
                b_byte(&stream, (int)(adler >> shift & 255));
            assert_int_equal(crc, crc32(0, text.bytes, (uInt)text.n));
            uint8_t *back = malloc(text.n);
            assert_int_equal(inflate_all(stream.bytes, stream.n, 15, back, text.n), text.n); /* checks adler32 */
            assert_memory_equal(back, text.bytes, text.n);
            free(back);
            b_free(&stream);
            b_free(&text);
            deflater_free(d);
        }
}

static uint8_t *hexadecimal(size_t n)
{
    uint8_t *text = malloc(n + 1);
    uint32_t seed = 11;

    for (size_t i = 0; i < n; i++)
        text[i] =
            (uint8_t) "0123456789abcdef"[b_random(&seed) >> 20]; /* the upper bits: the lower ones come back soon */
    return text;
}

/* Compresses, inflates, compares; returns how many bytes there were in between. */
static size_t there_and_back(int level, const uint8_t *text, size_t n)
{
    struct deflater *d = deflater_new(level);
    uint8_t *out = malloc(deflater_bound(n)), *back = malloc(n);
    size_t made = deflater_segment(d, text, n, 1, out);

    assert_true(made > 0);
    assert_int_equal(inflate_all(out, made, -15, back, n), n);
    assert_memory_equal(back, text, n);
    free(out);
    free(back);
    deflater_free(d);
    return made;
}

static void random_bytes_in_hexadecimal_take_half(void **state)
{
    static const size_t sizes[] = { 8190, 8192, 8200, 73727, 73728, 73729, 200000, 400000 };

    (void)state;
    for (int level = 1; level <= 9; level++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            uint8_t *text = hexadecimal(sizes[i]);
            size_t n = there_and_back(level, text, sizes[i]);

            if (level >= 6)
                assert_in_range(n, sizes[i] / 2, sizes[i] * 51 / 100 + 100);
            free(text);
        }
}

static void text_behind_random_bytes_is_matched_again(void **state)
{
    static const char line[] = "a line that comes back again and again\t2025-01-01 00:00:00+00\n";
    const size_t random_n = 100000, n = 400000;
    uint8_t *text = hexadecimal(n);

    (void)state;
    for (size_t i = random_n; i < n; i++)
        text[i] = (uint8_t)line[i % (sizeof line - 1)];
    for (int level = 5; level <= 7; level++) /* 64 KiB at most are taken without a look */
        assert_true(there_and_back(level, text, n) < random_n / 2 + 65536 + (n - random_n) / 50);
    free(text);
}

static void nothing_is_a_stream_too(void **state)
{
    struct deflater *d = deflater_new(6);
    uint8_t out[64], back[1];
    size_t n = deflater_segment(d, "", 0, 1, out);

    (void)state;
    assert_int_equal(inflate_all(out, n, -15, back, 1), 0);
    deflater_free(d);
}

static int collect(void *cookie, const void *bytes, size_t n, struct err *err)
{
    struct built *b = cookie;

    if (b->minor != 0 && b->n + n > (size_t)b->minor)
        return err_set(err, ERR_SPACE, "full");
    b_bytes(b, bytes, n);
    return 0;
}

static struct built gzipped(const uint8_t *text, size_t n, int level, unsigned jobs, size_t step)
{
    struct built out = { 0 };
    struct err err = { 0 };
    struct gzip_writer *w = gzip_writer_new(level, jobs, collect, &out, &err);

    assert_non_null(w);
    for (size_t at = 0; at < n; at += step)
        assert_int_equal(gzip_writer_put(w, text + at, n - at < step ? n - at : step, &err), 0);
    assert_int_equal(gzip_writer_finish(w, &err), 0);
    gzip_writer_free(w);
    return out;
}

static void gzip_files_are_whole(void **state)
{
    static const size_t sizes[] = { 0, 1, 1000, DEFLATE_SEGMENT - 1, DEFLATE_SEGMENT, DEFLATE_SEGMENT + 1, 3500000 };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *text = noise(sizes[i], 20, 7), *back = malloc(sizes[i] + 1);
        struct built one = gzipped(text, sizes[i], 6, 1, 100000), many = gzipped(text, sizes[i], 6, 4, 777);

        assert_int_equal(inflate_all(one.bytes, one.n, 15 + 16, back, sizes[i] + 1), sizes[i]); /* checks crc, size */
        assert_memory_equal(back, text, sizes[i]);
        assert_int_equal(one.n, many.n);
        assert_memory_equal(one.bytes, many.bytes, one.n);
        free(text);
        free(back);
        b_free(&one);
        b_free(&many);
    }
}

static void a_full_disk_is_heard(void **state)
{
    struct built out = { .minor = 1000 };
    struct err err = { 0 };
    struct gzip_writer *w = gzip_writer_new(1, 2, collect, &out, &err);
    uint8_t *text = noise(4 * DEFLATE_SEGMENT, 256, 1);
    int rc = 0;

    (void)state;
    for (int i = 0; i < 20 && rc == 0; i++)
        rc = gzip_writer_put(w, text, 4 * DEFLATE_SEGMENT, &err);
    assert_int_equal(rc, -1);
    assert_int_equal(err.class, ERR_SPACE);
    gzip_writer_free(w);
    free(text);
    b_free(&out);
}

static void headers_are_zlibs(void **state)
{
    uint8_t header[2];

    (void)state;
    for (int level = 0; level <= 9; level++) {
        uint8_t packed[64];
        uLongf n = sizeof packed;

        compress2(packed, &n, (const Bytef *)"x", 1, level);
        deflate_zlib_header(level, header);
        assert_memory_equal(header, packed, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("segments of any size and kind, joined, are one stream with right checksums",
                segments_join_to_one_stream),
        PROMISE("random bytes in hexadecimal take half of it", random_bytes_in_hexadecimal_take_half),
        PROMISE("text behind random bytes is matched again", text_behind_random_bytes_is_matched_again),
        PROMISE("nothing at all is a whole stream", nothing_is_a_stream_too),
        PROMISE("a gzip file is whole, and the same for any number of jobs", gzip_files_are_whole),
        PROMISE("a sink that fails is heard", a_full_disk_is_heard),
        PROMISE("a zlib stream's header is zlib's own", headers_are_zlibs),
    };
    return RUN_PROMISES(tests);
}
