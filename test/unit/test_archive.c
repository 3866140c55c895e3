/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/pg/archive.h"
#include "test/unit/archive_build.h"
#include "test/unit/archive_memory.h"

static struct built contents_of(int minor, int method)
{
    struct built b = { 0 };
    struct b_entry table = { .id = 7,
                             .tag = "t7",
                             .desc = "TABLE",
                             .defn = "CREATE TABLE public.t7 (a int);\n",
                             .schema = "public",
                             .owner = "me",
                             .section = 2 };
    struct b_entry constraint = { .id = 9,
                                  .tag = "t7 t7_pkey",
                                  .desc = "CONSTRAINT",
                                  .defn = "ALTER ...;\n",
                                  .schema = "public",
                                  .owner = "me",
                                  .section = 4,
                                  .depends = { "7", "8", "4711" } };
    struct b_entry encoding = { .id = 3,
                                .tag = "ENCODING",
                                .desc = "ENCODING",
                                .section = 2,
                                .defn = "SET client_encoding = 'UTF8';\n",
                                .owner = "" };
    struct b_entry owned = { .id = 10,
                             .tag = "a\nname",
                             .desc = "COMMENT",
                             .defn = "COMMENT ON ...;\n",
                             .owner = "the\rowner",
                             .section = 1,
                             .depends = { "9", "7" } };

    b_header(&b, minor, method);
    b_int(&b, 5);
    b_put_entry(&b, &encoding);
    b_put_entry(&b, &table);
    b_table(&b, 8);
    b_put_entry(&b, &constraint);
    b_put_entry(&b, &owned);
    return b;
}

static void reads_every_version(void **state)
{
    (void)state;
    for (int minor = 12; minor <= 16; minor++) {
        struct built b = contents_of(minor, ARCHIVE_GZIP);
        struct archive a;
        struct err err;

        assert_int_equal(memory_archive(&a, b.bytes, b.n, 0, &err), 0);
        assert_int_equal(a.version, ARCHIVE_VERSION(1, minor));
        assert_int_equal(a.method, ARCHIVE_GZIP);
        assert_int_equal(a.level, minor < 15 ? 6 : 0);
        assert_int_equal(a.n, 5);
        assert_int_equal(a.data_at, b.n);
        assert_string_equal(a.database, "shop");
        assert_string_equal(a.server_version, "15.8");
        assert_string_equal(a.dump_version, "15.9");
        assert_int_equal(a.year, 125);
        assert_int_equal(a.second, 56);
        const struct archive_entry *e = archive_find(&a, 8);
        assert_true(e->has_data);
        assert_string_equal(e->tag, "t8");
        assert_string_equal(e->copy, "COPY public.t8 (a, b) FROM stdin;\n");
        assert_string_equal(e->schema, "public");
        assert_string_equal(e->defn, "");
        assert_null(e->tablespace);
        assert_string_equal(e->owner, "me");
        assert_int_equal(e->oid, 4000000000u);
        assert_int_equal(e->class_oid, 1259);
        assert_int_equal(e->state, OFFSET_UNKNOWN);
        assert_int_equal(e->relkind, minor >= 16 ? 'r' : 0);
        assert_true(minor < 14 ? e->tableam == NULL : strcmp(e->tableam, "heap") == 0);
        e = archive_find(&a, 9);
        assert_int_equal(e->depends_n, 3);
        assert_int_equal(e->depends[2], 4711);
        assert_int_equal(archive_find(&a, 10)->depends_n, 2);
        assert_int_equal(archive_find(&a, 10)->depends[0], 9);
        assert_null(archive_find(&a, 11));
        archive_release(&a);
        b_free(&b);
    }
}

static void reads_in_small_pieces(void **state)
{
    struct built b = contents_of(14, ARCHIVE_NONE);

    (void)state;
    for (size_t step = 1; step < 12; step++) {
        struct memory m = { .bytes = b.bytes, .n = b.n, .step = step };
        struct archive_in in;
        struct archive a;
        struct err err = { 0 };

        assert_int_equal(archive_in_open(&in, (struct archive_source){ memory_read, &m }, 65536, &err), 0);
        assert_int_equal(archive_read(&a, &in, 0, NULL, NULL, &err), 0);
        assert_int_equal(a.n, 5);
        assert_int_equal(archive_in_tell(&in), b.n);
        archive_release(&a);
        archive_in_close(&in);
    }
    b_free(&b);
}

static void cut_anywhere_is_damage(void **state)
{
    struct built b = contents_of(16, ARCHIVE_GZIP);

    (void)state;
    for (size_t n = 0; n < b.n; n++) {
        struct archive a;
        struct err err;

        assert_int_equal(memory_archive(&a, b.bytes, n, 0, &err), -1);
        assert_int_equal(err.class, ERR_DAMAGED);
        if (n > 11)
            assert_non_null(strstr(err.message, "offset"));
    }
    b_free(&b);
}

static void flipped_bytes_do_no_harm(void **state)
{
    struct built b = contents_of(14, ARCHIVE_GZIP);
    size_t refused = 0;

    (void)state;
    for (size_t i = 0; i < b.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            struct archive a;
            struct err err;

            b.bytes[i] ^= (uint8_t)(1 << bit);
            if (memory_archive(&a, b.bytes, b.n, 0, &err) < 0) {
                assert_int_equal(err.class, ERR_DAMAGED);
                refused++;
            }
            archive_release(&a);
            b.bytes[i] ^= (uint8_t)(1 << bit);
        }
    assert_true(refused > b.n); /* names can't be told from other names; numbers and lengths can */
    b_free(&b);
}

/* The message of reading what make() makes of a header. */
static void refused(const struct built *b, size_t max_memory, const char *words)
{
    struct archive a;
    struct err err;

    assert_int_equal(memory_archive(&a, b->bytes, b->n, max_memory, &err), -1);
    assert_int_equal(err.class, ERR_DAMAGED);
    if (strstr(err.message, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, err.message);
}

static void claims_are_not_believed(void **state)
{
    struct built b = { 0 };

    (void)state;
    b_header(&b, 14, 0);
    size_t contents = b.n;
    b_int(&b, 2147483647); /* so many entries */
    refused(&b, 0, "ends at offset");
    b.n = contents;
    b_int(&b, -3);
    refused(&b, 0, "negative number of entries");
    b.n = contents;
    b_int(&b, 1);
    b_int(&b, 1);
    b_int(&b, 0);
    size_t texts = b.n;
    b_int(&b, 2147483647); /* a string that long */
    b_bytes(&b, "123", 3);
    refused(&b, 0, "ends at offset");
    b.n = texts;
    b_int(&b, -2);
    refused(&b, 0, "negative length");
    b_free(&b);
}

/* Entry `id`, called e and its number, and what it depends on; 0: nothing. */
static void depending(struct built *b, int id, int on, int and_on)
{
    char tag[16], first[16], second[16];
    struct b_entry e = { .id = id, .tag = tag, .desc = "VIEW", .schema = "public", .owner = "me", .section = 2 };

    snprintf(tag, sizeof tag, "e%d", id);
    snprintf(first, sizeof first, "%d", on);
    snprintf(second, sizeof second, "%d", and_on);
    if (on != 0)
        e.depends[0] = first;
    if (and_on != 0)
        e.depends[1] = second;
    b_put_entry(b, &e);
}

static void circles_are_damage(void **state)
{
    struct built b = { 0 };
    struct archive a;
    struct err err;

    (void)state;
    b_header(&b, 14, 0);
    b_int(&b, 4);
    size_t entries = b.n;
    for (int i = 1; i <= 4; i++)
        depending(&b, i, i == 3 ? 3 : 0, 0);
    refused(&b, 0, "entry 3 of the table of contents (VIEW public.e3) depends on itself");

    b.n = entries;
    depending(&b, 1, 0, 0);
    depending(&b, 4, 1, 3);
    depending(&b, 3, 1, 4);
    depending(&b, 2, 1, 4711);
    refused(&b, 0,
            "2 entries go in a circle: entry 3 (VIEW public.e3) depends on entry 4 (VIEW public.e4), and that again "
            "on entry 3");
    assert_int_equal(memory_archive(&a, b.bytes, b.n, 0, &err), -1);
    assert_int_equal(strncmp(err.message, "offset ", 7), 0);
    assert_non_null(strstr(err.hint, "another backup"));

    b.n = entries; /* many ways that meet again are none */
    depending(&b, 1, 0, 0);
    depending(&b, 2, 1, 1);
    depending(&b, 3, 1, 2);
    depending(&b, 4, 3, 2);
    assert_int_equal(memory_archive(&a, b.bytes, b.n, 0, &err), 0);
    archive_release(&a);
    b_free(&b);
}

/* Each depends on the next; last_on: on what the last one does. */
static struct built chain(int n, int last_on)
{
    struct built b = { 0 };

    b_header(&b, 14, 0);
    b_int(&b, n);
    for (int i = 1; i <= n; i++)
        depending(&b, i, i < n ? i + 1 : last_on, 0);
    return b;
}

static void on_a_small_stack(void *(*start)(void *))
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1024 * 1024); /* as a thread of sfb has */
    assert_int_equal(pthread_create(&thread, &attributes, start, NULL), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

static void *read_chains(void *ignored)
{
    struct built b = chain(100000, 0);
    struct archive a;
    struct err err;

    assert_int_equal(memory_archive(&a, b.bytes, b.n, 0, &err), 0);
    assert_int_equal(archive_find(&a, 99999)->depends[0], 100000);
    archive_release(&a);
    b_free(&b);

    b = chain(100000, 99998); /* a circle behind the chain */
    refused(&b, 0, "3 entries go in a circle: entry 100000 (VIEW public.e100000) depends on entry 99998 ");
    b_free(&b);

    b = chain(100000, 1); /* all of it */
    refused(&b, 0, "100000 entries go in a circle: entry 100000 (VIEW public.e100000) depends on entry 1 ");
    b_free(&b);
    return ignored;
}

static void chains_may_be_long(void **state)
{
    (void)state;
    on_a_small_stack(read_chains);
}

static void memory_has_a_maximum(void **state)
{
    struct built b = { 0 };

    (void)state;
    b_header(&b, 14, 0);
    b_int(&b, 20000);
    for (int i = 1; i <= 20000; i++)
        b_table(&b, i);
    refused(&b, 1 << 20, "1 MiB");
    struct archive a;
    struct err err;
    assert_int_equal(memory_archive(&a, b.bytes, b.n, (size_t)16 << 20, &err), 0);
    assert_true(a.memory <= (size_t)16 << 20);
    assert_string_equal(archive_find(&a, 20000)->tag, "t20000");
    archive_release(&a);
    b_free(&b);
}

static void strangers_are_named(void **state)
{
    struct built b = { 0 };

    (void)state;
    refused(&b, 0, "empty");
    b_bytes(&b, "-- PostgreSQL database dump\n", 28);
    refused(&b, 0, "no custom archive");
    b.n = 0;
    b_header(&b, 17, 0);
    refused(&b, 0, "newer than sfb can read");
    b.n = 0;
    b_header(&b, 11, 0);
    refused(&b, 0, "older than sfb can read");
    b.n = 0;
    b_header(&b, 14, 0);
    b.bytes[10] = 3;
    refused(&b, 0, "tar");
    b.bytes[10] = 5;
    refused(&b, 0, "directory");
    b.bytes[10] = 1;
    b.bytes[8] = 2;
    refused(&b, 0, "size of numbers");
    b.n = 0;
    b_header(&b, 16, 4);
    refused(&b, 0, "unknown compression method");
    b.n = 0;
    b_header(&b, 14, 0);
    b_int(&b, 2);
    b_table(&b, 5);
    b_table(&b, 5);
    refused(&b, 0, "entry 5 stands twice");
    b_free(&b);
}

static void lists_like_pg_restore(void **state)
{
    static const char expected[] = ";\n; Archive created at 2025-10-23 12:34:56 UTC\n;     dbname: shop\n"
                                   ";     TOC Entries: 5\n;     Compression: gzip\n;     Dump Version: 1.16-0\n"
                                   ";     Format: CUSTOM\n;     Integer: 4 bytes\n;     Offset: 8 bytes\n"
                                   ";     Dumped from database version: 15.8\n;     Dumped by pg_dump version: 15.9\n"
                                   ";\n;\n; Selected TOC Entries:\n;\n"
                                   "7; 1259 4000000000 TABLE public t7 me\n"
                                   "8; 1259 4000000000 TABLE DATA public t8 me\n"
                                   "9; 1259 4000000000 CONSTRAINT public t7 t7_pkey me\n"
                                   "10; 1259 4000000000 COMMENT - a name the owner\n";
    struct built b = contents_of(16, ARCHIVE_GZIP), old = contents_of(14, ARCHIVE_GZIP);
    struct archive a;
    struct buf out;
    struct err err;

    (void)state;
    setenv("TZ", "UTC", 1);
    buf_init(&out, 1 << 20);
    assert_int_equal(memory_archive(&a, b.bytes, b.n, 0, &err), 0);
    assert_int_equal(archive_list(&a, &out, &err), 0);
    assert_string_equal(out.data, expected);
    archive_release(&a);
    buf_reset(&out);
    assert_int_equal(memory_archive(&a, old.bytes, old.n, 0, &err), 0);
    assert_int_equal(archive_list(&a, &out, &err), 0);
    assert_non_null(strstr(out.data, ";     Compression: 6\n;     Dump Version: 1.14-0\n"));
    archive_release(&a);
    buf_release(&out);
    b_free(&b);
    b_free(&old);
}

static void patches_fit(void **state)
{
    struct built b = contents_of(14, ARCHIVE_NONE);
    struct archive a;
    struct err err;
    uint8_t field[ARCHIVE_PATCH];

    (void)state;
    assert_int_equal(memory_archive(&a, b.bytes, b.n, 0, &err), 0);
    uint64_t at = archive_find(&a, 8)->offset_at, method_at = a.method_at;
    assert_int_equal(archive_offset_field(&a, 0x123456789aull, field), 9);
    memcpy(b.bytes + at, field, 9);
    assert_int_equal(archive_method_field(&a, ARCHIVE_GZIP, 9, field), 5);
    memcpy(b.bytes + method_at, field, 5);
    archive_release(&a);
    assert_int_equal(memory_archive(&a, b.bytes, b.n, 0, &err), 0);
    assert_int_equal(archive_find(&a, 8)->state, OFFSET_KNOWN);
    assert_int_equal(archive_find(&a, 8)->offset, 0x123456789aull);
    assert_int_equal(a.level, 9);
    assert_int_equal(a.method, ARCHIVE_GZIP);
    archive_release(&a);
    b_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("header and contents of versions 1.12 to 1.16 are read, every field", reads_every_version),
        PROMISE("it does not matter in what pieces they come", reads_in_small_pieces),
        PROMISE("an archive that is cut in its contents is damaged, whatever the place", cut_anywhere_is_damage),
        PROMISE("no flipped bit does harm", flipped_bytes_do_no_harm),
        PROMISE("numbers of entries and lengths of strings are not believed", claims_are_not_believed),
        PROMISE("dependencies in a circle are damage, and the circle is named; ways that meet are none",
                circles_are_damage),
        PROMISE("a chain of 100,000 dependencies needs no stack, and a circle behind it is found", chains_may_be_long),
        PROMISE("contents may take so much memory and no more", memory_has_a_maximum),
        PROMISE("what is no archive, or one that we can't read, is called what it is", strangers_are_named),
        PROMISE("the list is pg_restore's, and no name breaks a line", lists_like_pg_restore),
        PROMISE("offsets and method are patched in place", patches_fit),
    };
    return RUN_PROMISES(tests);
}
