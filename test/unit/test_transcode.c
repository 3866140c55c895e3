/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/pg/tally.h"
#include "core/pg/transcode.h"
#include "test/unit/archive_build.h"
#include "test/unit/archive_memory.h"

/* ---- samples ------------------------------------------------------------------------------------------------- */

/* n rows of text that compresses like text does. The caller frees it. */
static char *some_rows(size_t n, size_t width, uint32_t seed)
{
    static const char *const words[] = { "alpha", "beta", "gamma", "delta", "\\N", "epsilon\\n", "zeta", "" };
    char *text = malloc(n * (width + 16) + 1), *to = text;

    for (size_t i = 0; i < n; i++) {
        char *row = to;

        while ((size_t)(to - row) < width)
            to += sprintf(to, "%s\t%u", words[b_random(&seed) % 8], b_random(&seed) % 1000);
        *to++ = '\n';
    }
    *to = '\0';
    return text;
}

static char *one_long_row(size_t n)
{
    char *text = malloc(n + 5);

    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i % 23);
    memcpy(text + n, "\nb\n", 4);
    return text;
}

#define TABLES 9

/* Rows short and long, tables empty, tiny, and larger than a segment. */
static void sample_rows(char *rows[TABLES])
{
    rows[0] = strdup("");
    rows[1] = strdup("1\ta\n");
    rows[2] = some_rows(25000, 60, 1);
    rows[3] = strdup("\n\n\n");
    rows[4] = one_long_row(2200000);
    rows[5] = some_rows(4, 300000, 2);
    rows[6] = some_rows(16384, 63, 3); /* about a segment */
    rows[7] = strdup("x\n");
    rows[8] = some_rows(2, 1048575, 4);
}

static void put_objects(struct built *b, int method, size_t big)
{
    char *text = one_long_row(big);

    b_block(b, 3, 50);
    for (int i = 1; i <= 700; i++) {
        char small[16];
        int n = snprintf(small, sizeof small, "object %d", i);

        b_int(b, i);
        b_stream(b, method, small, (size_t)n, 16384);
    }
    b_int(b, -294967296); /* oid 4000000000 */
    b_stream(b, method, text, big, 16384);
    b_int(b, 900);
    b_stream(b, method, "", 0, 16384);
    b_int(b, 0);
    free(text);
}

static struct built sample(int minor, size_t chunk)
{
    struct built b = { 0 };
    char *rows[TABLES];

    sample_rows(rows);
    b_header(&b, minor, ARCHIVE_NONE);
    b_int(&b, TABLES + 1);
    for (int i = 0; i < TABLES; i++)
        b_table(&b, i + 1);
    b_objects_entry(&b, 50);
    for (int i = 0; i < TABLES; i++) {
        b_rows(&b, ARCHIVE_NONE, i + 1, rows[i], chunk);
        free(rows[i]);
    }
    put_objects(&b, ARCHIVE_NONE, 1500000);
    return b;
}

/* ---- transcoding --------------------------------------------------------------------------------------------- */

static int run(const struct built *b, enum archive_method method, int level, unsigned jobs, struct memory_sink *sink,
               struct transcode_result *result, struct err *err)
{
    struct transcode_params p = { .in_fd = memory_fd(b->bytes, b->n),
                                  .sink = { NULL, sink_write, sink_patch, sink },
                                  .method = method,
                                  .level = level,
                                  .jobs = jobs };

    memset(err, 0, sizeof *err);
    int rc = transcode(&p, result, err);
    close(p.in_fd);
    return rc;
}

static void expect_tallies(const struct archive_blocks *blocks)
{
    char *rows[TABLES];

    sample_rows(rows);
    assert_int_equal(blocks->n, TABLES + 1);
    for (int i = 0; i < TABLES; i++) {
        struct tally expected = { 0 };

        tally_rows(&expected, rows[i], strlen(rows[i]));
        assert_int_equal(blocks->items[i].entry->id, i + 1);
        assert_true(blocks->items[i].counted);
        assert_int_equal(blocks->items[i].tally.rows, expected.rows);
        assert_int_equal(blocks->items[i].tally.bytes, expected.bytes);
        assert_true(tally_same(&blocks->items[i].tally, &expected));
        free(rows[i]);
    }
    assert_int_equal(blocks->items[TABLES].tally.rows, 702);
}

/* The large objects' tally, made without cutting them. */
static struct tally expected_objects(void)
{
    struct tally t = { 0 };
    char *text = one_long_row(1500000);

    for (uint32_t i = 1; i <= 700; i++) {
        char small[16];
        int n = snprintf(small, sizeof small, "object %u", i);

        tally_object(&t, i, small, (size_t)n);
    }
    tally_object(&t, 4000000000u, text, 1500000);
    tally_object(&t, 900, "", 0);
    free(text);
    return t;
}

static void counts_and_keeps_everything(void **state)
{
    static const struct {
        enum archive_method method;
        int level, minor;
    } ways[] = { { ARCHIVE_GZIP, 6, 14 }, { ARCHIVE_GZIP, 1, 12 }, { ARCHIVE_GZIP, 9, 16 }, { ARCHIVE_GZIP, 0, 15 },
                 { ARCHIVE_NONE, 0, 13 }, { ARCHIVE_ZSTD, 1, 15 }, { ARCHIVE_ZSTD, 0, 16 } };
    struct tally objects = expected_objects();

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct built b = sample(ways[i].minor, 77);
        struct memory_sink out = { 0 };
        struct transcode_result r;
        struct walk_result w;
        struct err err;

        assert_int_equal(run(&b, ways[i].method, ways[i].level, 3, &out, &r, &err), 0);
        expect_tallies(&r.blocks);
        assert_true(tally_same(&r.blocks.items[TABLES].tally, &objects));
        assert_int_equal(r.bytes_in, b.n);
        assert_int_equal(r.bytes_out, out.n);
        assert_int_equal(memory_walk(out.bytes, out.n, 2, &w, &err), 0);
        expect_tallies(&w.blocks);
        assert_true(tally_same(&w.objects, &objects));
        assert_true(tally_same(&w.tables, &r.tables));
        for (size_t k = 0; k < w.blocks.n; k++) { /* the offsets are in the file, and right */
            assert_int_equal(w.blocks.items[k].entry->state, OFFSET_KNOWN);
            assert_int_equal(w.blocks.items[k].entry->offset, r.blocks.items[k].offset);
            assert_int_equal(w.blocks.items[k].stored, r.blocks.items[k].stored);
        }
        walk_result_release(&w);
        transcode_result_release(&r);
        free(out.bytes);
        b_free(&b);
    }
}

static void the_same_bytes_always(void **state)
{
    static const size_t chunks[] = { 1000000, 13, 4096, 1 << 20, 65541 };
    struct memory_sink first = { 0 };

    (void)state;
    for (unsigned jobs = 1; jobs <= 8; jobs += jobs < 3 ? 1 : 5) {
        struct built b = sample(14, chunks[jobs % 5]);
        struct memory_sink out = { 0 };
        struct transcode_result r;
        struct err err;

        assert_int_equal(run(&b, ARCHIVE_GZIP, 1, jobs, &out, &r, &err), 0);
        if (jobs == 1)
            first = out;
        assert_int_equal(out.n, first.n);
        assert_memory_equal(out.bytes, first.bytes, first.n);
        if (jobs > 1)
            free(out.bytes);
        transcode_result_release(&r);
        b_free(&b);
    }
    free(first.bytes);
}

static void a_slow_pipe_gives_the_same(void **state)
{
    struct built b = sample(14, 77);
    struct memory_sink file = { 0 }, piped = { 0 };
    struct transcode_result r;
    struct err err;
    int ends[2];
    pthread_t thread;

    (void)state;
    assert_int_equal(run(&b, ARCHIVE_GZIP, 1, 2, &file, &r, &err), 0);
    transcode_result_release(&r);
    assert_int_equal(pipe(ends), 0);
    struct slow_pipe slow = { .bytes = b.bytes, .n = b.n, .step = 4099, .fd = ends[1] };
    pthread_create(&thread, NULL, slow_pipe_main, &slow);
    struct transcode_params p = {
        .in_fd = ends[0], .sink = { NULL, sink_write, sink_patch, &piped }, .level = 1, .method = ARCHIVE_GZIP
    };
    assert_int_equal(transcode(&p, &r, &err), 0);
    pthread_join(thread, NULL);
    close(ends[0]);
    assert_int_equal(piped.n, file.n);
    assert_memory_equal(piped.bytes, file.bytes, file.n);
    transcode_result_release(&r);
    free(file.bytes);
    free(piped.bytes);
    b_free(&b);
}

static void a_pipe_gets_no_offsets(void **state)
{
    struct built b = sample(16, 50000);
    struct memory_sink out = { 0 };
    struct transcode_params p = { .in_fd = memory_fd(b.bytes, b.n), .sink = { NULL, sink_write, NULL, &out } };
    struct transcode_result r;
    struct walk_result w;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(transcode(&p, &r, &err), 0);
    assert_int_equal(memory_walk(out.bytes, out.n, 2, &w, &err), 0);
    assert_int_equal(w.blocks.items[2].entry->state, OFFSET_UNKNOWN);
    expect_tallies(&w.blocks);
    walk_result_release(&w);
    transcode_result_release(&r);
    close(p.in_fd);
    free(out.bytes);
    b_free(&b);
}

/* What the pg_restore of this machine makes of an archive: a digest of the SQL. */
static void rendered(const void *bytes, size_t n, char out[64])
{
    FILE *f = fopen("archive", "w");

    assert_true(f != NULL && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
    assert_int_equal(system("pg_restore -f /dev/null archive"), 0);
    f = popen("pg_restore -f - archive | grep -v '^.\\(un\\)\\?restrict ' | md5sum", "r");
    assert_true(f != NULL && fgets(out, 64, f) != NULL);
    pclose(f);
}

static void stock_pg_restore_reads_it(void **state)
{
    struct built b = sample(14, 1000);
    char expected[64], found[64];

    (void)state;
    if (system("pg_restore --version >/dev/null 2>&1") != 0) {
        b_free(&b);
        skip();
    }
    rendered(b.bytes, b.n, expected);
    for (int level = 0; level <= 9; level += 3) {
        struct memory_sink out = { 0 };
        struct transcode_result r;
        struct err err;

        assert_int_equal(run(&b, ARCHIVE_GZIP, level, 2, &out, &r, &err), 0);
        rendered(out.bytes, out.n, found);
        assert_string_equal(found, expected);
        transcode_result_release(&r);
        free(out.bytes);
    }
    b_free(&b);
}

/* ---- what goes wrong ----------------------------------------------------------------------------------------- */

static struct built little(void)
{
    struct built b = { 0 };
    struct b_entry inserts = {
        .id = 2, .has_data = true, .tag = "i", .desc = "TABLE DATA", .defn = "", .schema = "public", .owner = "me"
    };

    b_header(&b, 16, ARCHIVE_NONE);
    b_int(&b, 3);
    b_table(&b, 1);
    b_put_entry(&b, &inserts);
    b_objects_entry(&b, 3);
    b_rows(&b, 0, 1, "1\tone\n2\ttwo\n", 6);
    b_block(&b, 1, 2);
    b_stream(&b, 0, "INSERT INTO i VALUES (1);\n\n", 27, 100);
    b_block(&b, 3, 3);
    b_int(&b, 77);
    b_stream(&b, 0, "content", 7, 100);
    b_int(&b, 0);
    return b;
}

static void an_early_end_is_a_failed_dump(void **state)
{
    struct built b = little();
    size_t whole = b.n;

    (void)state;
    for (b.n = 0; b.n < whole; b.n++) {
        struct memory_sink out = { 0 };
        struct transcode_result r;
        struct err err;

        assert_int_equal(run(&b, ARCHIVE_GZIP, 6, 2, &out, &r, &err), -1);
        assert_int_equal(err.class, ERR_DUMP);
        if (b.n > 11)
            assert_non_null(strstr(err.message, "offset"));
        free(out.bytes);
    }
    struct memory_sink out = { 0 };
    struct transcode_result r;
    struct err err;
    b.n = whole;
    assert_int_equal(run(&b, ARCHIVE_GZIP, 6, 2, &out, &r, &err), 0);
    assert_false(r.blocks.items[1].counted); /* INSERTs are no rows that can be counted */
    assert_int_equal(r.blocks.items[1].tally.bytes, 27);
    assert_int_equal(r.tables.rows, 2);
    transcode_result_release(&r);
    free(out.bytes);
    b_free(&b);
}

static void flipped_bytes_do_no_harm(void **state)
{
    struct built b = little();

    (void)state;
    for (size_t i = 0; i < b.n; i++) {
        struct memory_sink out = { 0 };
        struct transcode_result r;
        struct err err;

        b.bytes[i] ^= 0x41;
        if (run(&b, ARCHIVE_NONE, 6, 1, &out, &r, &err) == 0)
            transcode_result_release(&r);
        else
            assert_true(err.class == ERR_DUMP && err.message[0] != '\0');
        b.bytes[i] ^= 0x41;
        free(out.bytes);
    }
    b_free(&b);
}

static void a_table_must_end_as_copy_ends(void **state)
{
    struct built b = { 0 };
    struct memory_sink out = { 0 };
    struct transcode_result r;
    struct err err;

    (void)state;
    b_header(&b, 14, 0);
    b_int(&b, 1);
    b_table(&b, 1);
    b_block(&b, 1, 1);
    b_stream(&b, 0, "1\tone\n", 6, 100);
    assert_int_equal(run(&b, ARCHIVE_GZIP, 6, 2, &out, &r, &err), -1);
    assert_int_equal(err.class, ERR_DUMP);
    assert_non_null(strstr(err.message, "TABLE DATA public.t1"));
    free(out.bytes);
    b_free(&b);
}

static void out_of_order_is_refused(void **state)
{
    struct built b = { 0 };
    struct memory_sink out = { 0 };
    struct transcode_result r;
    struct err err;

    (void)state;
    b_header(&b, 14, 0);
    b_int(&b, 2);
    b_table(&b, 1);
    b_table(&b, 2);
    b_rows(&b, 0, 2, "1\n", 100);
    b_rows(&b, 0, 1, "1\n", 100);
    assert_int_equal(run(&b, ARCHIVE_GZIP, 6, 2, &out, &r, &err), -1);
    assert_int_equal(err.class, ERR_DUMP);
    assert_non_null(strstr(err.message, "out of order"));
    free(out.bytes);
    b_free(&b);
}

static void a_full_disk_says_so(void **state)
{
    struct built b = sample(14, 1000);
    struct memory_sink out = { .fail_at = 100000 };
    struct transcode_result r;
    struct err err;

    (void)state;
    assert_int_equal(run(&b, ARCHIVE_GZIP, 1, 4, &out, &r, &err), -1);
    assert_int_equal(err.class, ERR_SPACE);
    assert_string_equal(err.message, "the disk is full");
    free(out.bytes);
    b_free(&b);
}

static void what_readers_lack_is_not_written(void **state)
{
    struct built old = sample(14, 1000), packed = { 0 };
    struct memory_sink out = { 0 };
    struct transcode_result r;
    struct err err;

    (void)state;
    assert_int_equal(run(&old, ARCHIVE_ZSTD, 1, 1, &out, &r, &err), -1);
    assert_int_equal(err.class, ERR_CONFIG);
    assert_int_equal(run(&old, ARCHIVE_LZ4, 1, 1, &out, &r, &err), -1);
    assert_int_equal(err.class, ERR_CONFIG);
    b_header(&packed, 16, ARCHIVE_GZIP);
    b_int(&packed, 0);
    assert_int_equal(run(&packed, ARCHIVE_GZIP, 1, 1, &out, &r, &err), -1);
    assert_int_equal(err.class, ERR_DUMP);
    assert_int_equal(out.n, 0);
    b_free(&old);
    b_free(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("every row is counted and kept, by every method and in every version", counts_and_keeps_everything),
        PROMISE("neither the number of workers nor pg_dump's chunks change a byte", the_same_bytes_always),
        PROMISE("nor does how the pipe delivers them", a_slow_pipe_gives_the_same),
        PROMISE("into a pipe there are no offsets", a_pipe_gets_no_offsets),
        PROMISE_IN_DIR("a stock pg_restore makes the same SQL of it", stock_pg_restore_reads_it),
        PROMISE("a stream that ends early, wherever, is a failed dump", an_early_end_is_a_failed_dump),
        PROMISE("no flipped byte does harm", flipped_bytes_do_no_harm),
        PROMISE("a table without the mark that ends COPY text is not whole", a_table_must_end_as_copy_ends),
        PROMISE("tables come in the order of the contents", out_of_order_is_refused),
        PROMISE("a sink that fails is heard", a_full_disk_says_so),
        PROMISE("nothing is written that the server's pg_restore can't read", what_readers_lack_is_not_written),
    };
    return RUN_PROMISES(tests);
}
