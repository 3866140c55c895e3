/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <lz4frame.h>
#include <zstd.h>
#include "core/pg/tally.h"
#include "core/pg/walk.h"
#include "test/unit/archive_build.h"
#include "test/unit/archive_memory.h"

/* ---- archives as pg_dump writes them ------------------------------------------------------------------------- */

static const char *const rows[] = { "1\tone\n2\ttwo\n3\tthree\n", "", "a\\nb\t\\N\n" };

static void put_all(struct built *b, int minor, int method)
{
    b_header(b, minor, method);
    b_int(b, 4);
    for (int i = 0; i < 3; i++)
        b_table(b, i + 1);
    b_objects_entry(b, 4);
}

static struct built stock(int minor, int method)
{
    struct built b = { 0 };

    put_all(&b, minor, method);
    for (int i = 0; i < 3; i++)
        b_rows(&b, method, i + 1, rows[i], 4096);
    b_block(&b, 3, 4);
    for (int i = 1; i < 4; i++) {
        b_int(&b, i * 1000);
        b_stream(&b, method, "some content", 12, 4096);
    }
    b_int(&b, 0);
    return b;
}

/* One table of n random rows (text or noise); a single stream in chunks of 4 KiB. */
static struct built stock_large(int minor, int method, size_t n, struct tally *expected)
{
    struct built b = { 0 };
    char *text = malloc(n + 6);
    uint32_t seed = 5;

    for (size_t i = 0; i < n; i++)
        text[i] = b_random(&seed) % 40 == 0 ? '\n' : (char)('a' + b_random(&seed) % 20);
    text[n - 1] = '\n';
    memset(expected, 0, sizeof *expected);
    tally_rows(expected, text, n);
    memcpy(text + n, B_END, 6);
    b_header(&b, minor, method);
    b_int(&b, 1);
    b_table(&b, 1);
    b_block(&b, 1, 1);
    if (method == ARCHIVE_NONE || method == ARCHIVE_GZIP) {
        b_stream(&b, method, text, n + 5, 4096);
    } else {
        size_t bound = ZSTD_compressBound(n + 5) + LZ4F_compressFrameBound(n + 5, NULL);
        char *packed = malloc(bound);
        size_t packed_n = method == ARCHIVE_ZSTD ? ZSTD_compress(packed, bound, text, n + 5, 3)
                                                 : LZ4F_compressFrame(packed, bound, text, n + 5, NULL);

        b_chunks(&b, packed, packed_n, 4096);
        free(packed);
    }
    free(text);
    return b;
}

static void reads_stock_archives(void **state)
{
    (void)state;
    for (int minor = 12; minor <= 16; minor++)
        for (int method = ARCHIVE_NONE; method <= ARCHIVE_GZIP; method++) {
            struct built b = stock(minor, method);
            struct walk_result w;
            struct err err;

            assert_int_equal(memory_walk(b.bytes, b.n, 2, &w, &err), 0);
            assert_int_equal(w.blocks.n, 4);
            assert_int_equal(w.tables.rows, 4);
            assert_int_equal(w.objects.rows, 3);
            assert_int_equal(w.objects.bytes, 36);
            for (int i = 0; i < 3; i++) {
                struct tally expected = { 0 };

                tally_rows(&expected, rows[i], strlen(rows[i]));
                assert_true(tally_same(&w.blocks.items[i].tally, &expected));
            }
            walk_result_release(&w);
            b_free(&b);
        }
}

static void reads_every_method(void **state)
{
    (void)state;
    for (int method = ARCHIVE_NONE; method <= ARCHIVE_ZSTD; method++)
        for (unsigned jobs = 1; jobs < 4; jobs += 2) {
            struct tally expected;
            struct built b = stock_large(16, method, 3000000, &expected);
            struct walk_result w;
            struct err err;

            if (memory_walk(b.bytes, b.n, jobs, &w, &err) < 0)
                fail_msg("%s: %s", archive_method_name((enum archive_method)method), err.message);
            assert_true(tally_same(&w.tables, &expected));
            assert_int_equal(w.tables.bytes, 3000000);
            walk_result_release(&w);
            b_free(&b);
        }
}

/* ---- one entry ----------------------------------------------------------------------------------------------- */

struct collected {
    struct buf text;
    uint32_t objects[16];
    size_t objects_n;
};

static int collect(void *cookie, uint32_t object, const void *bytes, size_t n, struct err *err)
{
    struct collected *c = cookie;

    if (n == 0)
        c->objects[c->objects_n++] = object;
    buf_add(&c->text, bytes, n);
    return buf_check(&c->text, err);
}

static void reads_one_entry(void **state)
{
    (void)state;
    for (int method = ARCHIVE_NONE; method <= ARCHIVE_GZIP; method++) {
        struct built b = stock(14, method);
        struct memory m = { .bytes = b.bytes, .n = b.n };
        struct walk_file file = { memory_read_at, &m, b.n, 0 };
        struct collected c = { .objects_n = 0 };
        struct archive a;
        struct err err = { 0 };

        buf_init(&c.text, 1 << 20);
        assert_int_equal(walk_contents(&file, &a, &err), 0);
        assert_int_equal(walk_entry(&file, &a, archive_find(&a, 3), collect, &c, &err), 0);
        assert_string_equal(c.text.data, "a\\nb\t\\N\n\\.\n\n\n");
        buf_reset(&c.text);
        assert_int_equal(walk_entry(&file, &a, archive_find(&a, 4), collect, &c, &err), 0);
        assert_string_equal(c.text.data, "some contentsome contentsome content");
        assert_int_equal(c.objects_n, 3);
        assert_int_equal(c.objects[2], 3000);
        /* a wrong offset is noticed */
        archive_find(&a, 2)->state = OFFSET_KNOWN;
        archive_find(&a, 2)->offset = a.data_at;
        assert_int_equal(walk_entry(&file, &a, archive_find(&a, 2), collect, &c, &err), -1);
        assert_int_equal(err.class, ERR_DAMAGED);
        archive_release(&a);
        buf_release(&c.text);
        b_free(&b);
    }
}

struct counting {
    struct memory m;
    uint64_t bytes;
};

static ssize_t counting_read_at(void *cookie, void *bytes, size_t n, uint64_t offset, struct err *err)
{
    struct counting *c = cookie;
    ssize_t got = memory_read_at(&c->m, bytes, n, offset, err);

    c->bytes += (uint64_t)got;
    return got;
}

static void reads_no_more_than_the_entry(void **state)
{
    struct built b = { 0 };
    struct transcode_result r;
    struct memory_sink out = { 0 };
    struct err err = { 0 };
    char *text = malloc(5000001);

    (void)state;
    memset(text, 'x', 5000000);
    memcpy(text + 4999999, "\n", 2);
    b_header(&b, 14, 0);
    b_int(&b, 3);
    for (int i = 1; i < 4; i++)
        b_table(&b, i);
    b_rows(&b, 0, 1, text, 100000);
    b_rows(&b, 0, 2, "1\n", 100);
    b_rows(&b, 0, 3, text, 100000);
    struct transcode_params p = { .in_fd = memory_fd(b.bytes, b.n), .sink = { NULL, sink_write, sink_patch, &out } };
    assert_int_equal(transcode(&p, &r, &err), 0);
    struct counting c = { .m = { .bytes = out.bytes, .n = out.n } };
    struct walk_file file = { counting_read_at, &c, out.n, 0 };
    struct collected got = { .objects_n = 0 };
    buf_init(&got.text, 1 << 20);
    assert_int_equal(walk_entry(&file, &r.toc, archive_find(&r.toc, 2), collect, &got, &err), 0);
    assert_string_equal(got.text.data, "1\n" B_END);
    assert_int_equal(c.bytes, r.blocks.items[1].stored);
    close(p.in_fd);
    transcode_result_release(&r);
    buf_release(&got.text);
    free(out.bytes);
    free(text);
    b_free(&b);
}

/* ---- damage -------------------------------------------------------------------------------------------------- */

static void expect_damage(const struct built *b, const char *words)
{
    struct walk_result w;
    struct err err;

    assert_int_equal(memory_walk(b->bytes, b->n, 2, &w, &err), -1);
    assert_int_equal(err.class, ERR_DAMAGED);
    if (strstr(err.message, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, err.message);
}

static void cut_anywhere_is_damage(void **state)
{
    (void)state;
    for (int method = ARCHIVE_NONE; method <= ARCHIVE_GZIP; method++) {
        struct built b = stock(14, method);
        size_t whole = b.n;

        for (b.n = 0; b.n < whole; b.n++)
            expect_damage(&b, b.n > 11 ? "offset" : "");
        b_free(&b);
    }
}

static void trailing_bytes_are_damage(void **state)
{
    struct built b = stock(14, ARCHIVE_GZIP);

    (void)state;
    b_byte(&b, 0);
    expect_damage(&b, "1 byte follows the end");
    b.n--;
    b_rows(&b, ARCHIVE_GZIP, 1, "1\n", 4096); /* a block too many */
    expect_damage(&b, "follow the end");
    b_free(&b);
}

/* pg_dump 16 and newer does that to its standard output. */
static void contents_a_second_time_are_none(void **state)
{
    (void)state;
    for (int minor = 12; minor <= 16; minor++) {
        struct built b = stock(minor, ARCHIVE_GZIP);
        struct archive a;
        struct walk_result w;
        struct err err;

        assert_int_equal(memory_archive(&a, b.bytes, b.n, 0, &err), 0);
        size_t end = b.n, size = a.data_at - a.contents_at;
        for (size_t i = 0; i < size; i++)
            b_byte(&b, b.bytes[a.contents_at + i]);
        for (size_t i = 0; i < a.n; i++) /* the second time the offsets are known */
            for (int j = 0; j < 9; j++)
                b.bytes[end + a.entries[i].offset_at - a.contents_at + (size_t)j] = (uint8_t)(j == 0 ? 2 : i + 7);
        assert_int_equal(memory_walk(b.bytes, b.n, 2, &w, &err), 0);
        assert_int_equal(w.tables.rows, 4);
        walk_result_release(&w);
        b.n--;
        expect_damage(&b, "follow the end");
        b.n++;
        b_byte(&b, 0);
        expect_damage(&b, "follow the end");
        b.n--;
        for (size_t i = 0; i < 30; i++) { /* anything else is not the same contents */
            b.bytes[end + i] ^= 1;
            expect_damage(&b, "follow the end");
            b.bytes[end + i] ^= 1;
        }
        archive_release(&a);
        b_free(&b);
    }
}

/* In the blocks, that is: of the contents only the manifest's checksum knows how they were. */
static void flipped_bytes_are_found(void **state)
{
    struct built b = stock(16, ARCHIVE_GZIP);
    struct walk_result good, w;
    struct err err;

    (void)state;
    assert_int_equal(memory_walk(b.bytes, b.n, 1, &good, &err), 0);
    for (size_t i = 0; i < b.n; i++) {
        b.bytes[i] ^= (uint8_t)(1 << i % 8);
        if (memory_walk(b.bytes, b.n, 1, &w, &err) == 0) {
            /* A zlib header's level and a large object's oid are of those that can't be seen to be wrong. */
            assert_true(i < good.toc.data_at || tally_same(&w.tables, &good.tables));
            assert_true(i < good.toc.data_at || w.objects.rows == good.objects.rows);
            walk_result_release(&w);
        } else {
            assert_int_equal(err.class, ERR_DAMAGED);
        }
        b.bytes[i] ^= (uint8_t)(1 << i % 8);
    }
    walk_result_release(&good);
    b_free(&b);
}

static void wrong_places_are_damage(void **state)
{
    struct built b = { 0 };
    struct b_entry known = { .id = 1,
                             .has_data = true,
                             .tag = "t",
                             .desc = "TABLE DATA",
                             .schema = "s",
                             .owner = "me",
                             .copy = "COPY s.t (a) FROM stdin;\n",
                             .state = 2,
                             .offset = 4711 };

    (void)state;
    b_header(&b, 14, 0);
    b_int(&b, 1);
    b_put_entry(&b, &known);
    size_t data = b.n;
    b_rows(&b, 0, 1, "1\n", 100);
    expect_damage(&b, "table of contents says 4711");
    b.n = data;
    expect_damage(&b, "before the data of TABLE DATA s.t");
    b_free(&b);

    put_all(&b, 14, 0);
    b_rows(&b, 0, 2, "1\n", 100);
    b_rows(&b, 0, 1, "1\n", 100);
    expect_damage(&b, "twice or out of order");
    b_free(&b);

    put_all(&b, 14, 0);
    b_rows(&b, 0, 77, "1\n", 100);
    expect_damage(&b, "entry 77, which the table of contents does not have");
    b_free(&b);
}

static void half_tables_are_damage(void **state)
{
    struct built b = { 0 };

    (void)state;
    for (int method = ARCHIVE_NONE; method <= ARCHIVE_GZIP; method++) {
        b_header(&b, 14, method);
        b_int(&b, 1);
        b_table(&b, 1);
        b_block(&b, 1, 1);
        b_stream(&b, method, "1\tone\n", 6, 4096); /* rows that were lost before they were compressed */
        expect_damage(&b, "the mark that ends COPY text");
        b_free(&b);
    }
}

static void wrong_checksums_are_damage(void **state)
{
    struct built b = { 0 };
    static const uint8_t two_streams[] = { 0x78, 0x9c, 3, 0, 0, 0, 0, 1, 0x78, 0x9c, 3, 0, 0, 0, 0, 1 };

    (void)state;
    b_header(&b, 14, ARCHIVE_GZIP);
    b_int(&b, 1);
    b_table(&b, 1);
    b_rows(&b, ARCHIVE_GZIP, 1, "1\n", 4096);
    b.bytes[b.n - 6] ^= 1; /* the last byte of the stream, behind it the int that ends it */
    expect_damage(&b, "incorrect data check");
    b_free(&b);

    b_header(&b, 14, ARCHIVE_GZIP);
    b_int(&b, 1);
    b_table(&b, 1);
    b_block(&b, 1, 1);
    b_chunks(&b, two_streams, sizeof two_streams, 100); /* pg_restore would not see the second */
    expect_damage(&b, "something follows the end");
    b_free(&b);

    b_header(&b, 14, ARCHIVE_GZIP);
    b_int(&b, 1);
    b_table(&b, 1);
    b_block(&b, 1, 1);
    b_chunks(&b, "", 0, 100);
    expect_damage(&b, "not whole");
    b_free(&b);
}

/* A gigabyte of one byte in a megabyte: takes time to go through, and no memory. */
static void bombs_take_no_memory(void **state)
{
    struct built b = { 0 };
    char *zeros = calloc(1, 1 << 20);
    uint8_t *packed = malloc(1 << 21);
    z_stream z = { .next_out = packed, .avail_out = 1 << 21 };
    struct walk_result w;
    struct err err;

    (void)state;
    deflateInit(&z, 1);
    for (int i = 0; i < 256; i++) {
        z.next_in = (Bytef *)zeros;
        z.avail_in = 1 << 20;
        deflate(&z, i < 255 ? Z_NO_FLUSH : Z_FINISH);
    }
    deflateEnd(&z);
    b_header(&b, 16, ARCHIVE_GZIP);
    b_int(&b, 1);
    b_objects_entry(&b, 1);
    b_block(&b, 3, 1);
    b_int(&b, 5);
    b_chunks(&b, packed, z.total_out, 1 << 20);
    b_int(&b, 0);
    assert_int_equal(memory_walk(b.bytes, b.n, 2, &w, &err), 0);
    assert_int_equal(w.objects.bytes, 256ull << 20);
    walk_result_release(&w);
    b_free(&b);
    free(packed);
    free(zeros);
}

/* Chunks that look like ours but are not: they are read the long way, and nothing is wrong with them. */
static void wrong_guesses_are_mended(void **state)
{
    struct built b = { 0 };
    uint8_t *packed = malloc(1 << 20);
    char text[60000];
    z_stream z = { .next_out = packed, .avail_out = 1 << 20, .next_in = (Bytef *)text, .avail_in = 30000 };
    struct walk_result w;
    struct err err;
    uint32_t seed = 9;

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 100 == 99 ? '\n' : (char)('a' + b_random(&seed) % 3);
    memcpy(text + sizeof text - 6, "\n" B_END, 6);
    deflateInit(&z, 9);
    deflate(&z, Z_SYNC_FLUSH); /* the second part refers back into this one */
    size_t first = z.total_out;
    z.next_in = (Bytef *)text + 30000;
    z.avail_in = sizeof text - 30000;
    deflate(&z, Z_FINISH);
    deflateEnd(&z);
    b_header(&b, 14, ARCHIVE_GZIP);
    b_int(&b, 1);
    b_table(&b, 1);
    b_block(&b, 1, 1);
    b_int(&b, (int64_t)first);
    b_bytes(&b, packed, first);
    b_chunks(&b, packed + first, z.total_out - first, 1 << 20);
    if (memory_walk(b.bytes, b.n, 2, &w, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(w.tables.rows, 600);
    assert_int_equal(w.tables.bytes, sizeof text - 5);
    walk_result_release(&w);
    b_free(&b);
    free(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("archives of stock pg_dumps are read, every version", reads_stock_archives),
        PROMISE("every method is read, in streams larger than memory for them", reads_every_method),
        PROMISE("one entry's data is read alone", reads_one_entry),
        PROMISE("with an offset not a byte more is read than its block", reads_no_more_than_the_entry),
        PROMISE("an archive that is cut is damaged, whatever the place", cut_anywhere_is_damage),
        PROMISE("bytes behind the end are damage", trailing_bytes_are_damage),
        PROMISE("the contents a second time behind the end, as pg_dump writes them, are none",
                contents_a_second_time_are_none),
        PROMISE("a flipped byte in compressed data is always found", flipped_bytes_are_found),
        PROMISE("blocks in wrong places are damage", wrong_places_are_damage),
        PROMISE("a table whose end is missing is damage, though its stream is whole", half_tables_are_damage),
        PROMISE("wrong checksums and second streams are damage", wrong_checksums_are_damage),
        PROMISE("a bomb takes time, not memory", bombs_take_no_memory),
        PROMISE("chunks that only look independent are read in sequence", wrong_guesses_are_mended),
    };
    return RUN_PROMISES(tests);
}
