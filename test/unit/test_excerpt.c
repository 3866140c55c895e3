/* SPDX-License-Identifier: PostgreSQL */
/* test_excerpt.c - which entries of an archive a table is made of, and the archive of those alone. */
#include "test/unit/unit.h"

#include <stdio.h>
#include "core/pg/excerpt.h"
#include "test/unit/archive_build.h"
#include "test/unit/archive_memory.h"

static struct built built;
static struct archive archive;

static const char *position; /* of the SEQUENCE SETs that follow */

static void entry(int id, const char *desc, const char *schema, const char *tag, const char *a, const char *b)
{
    bool data = strcmp(desc, "TABLE DATA") == 0;
    char copy[100];
    struct b_entry e = { .id = id,
                         .has_data = data,
                         .tag = tag,
                         .desc = desc,
                         .defn = data                              ? ""
                               : strcmp(desc, "SEQUENCE SET") == 0 ? position
                                                                   : "SQL;\n",
                         .schema = schema,
                         .owner = "me",
                         .section = data ? 3 : 2,
                         .depends = { a, b } };

    snprintf(copy, sizeof copy, "COPY public.\"%s\" (a) FROM stdin;\n", tag);
    e.copy = data ? copy : NULL;
    b_put_entry(&built, &e);
}

/* A shop, with the things that only look as if they belonged to the events. */
static int set_up(void **state)
{
    struct err err;

    (void)state;
    memset(&built, 0, sizeof built);
    b_header(&built, 14, 0);
    b_int(&built, 38);
    entry(1, "ENCODING", NULL, "ENCODING", NULL, NULL);
    entry(2, "SCHEMA", NULL, "sales", NULL, NULL);
    entry(3, "TYPE", "public", "mood", NULL, NULL);
    entry(10, "TABLE", "public", "events", "3", NULL);
    entry(11, "TABLE", "public", "orgs", NULL, NULL);
    entry(12, "TABLE", "sales", "orgs", "2", NULL);
    entry(13, "SEQUENCE", "public", "events_id_seq", "10", NULL);
    entry(14, "SEQUENCE OWNED BY", "public", "events_id_seq", "13", NULL);
    entry(15, "DEFAULT", "public", "events id", "10", "13");
    entry(16, "TABLE", "public", "parts", NULL, NULL);
    entry(17, "TABLE", "public", "parts_1", NULL, NULL);
    entry(18, "TABLE", "public", "parts_1_a", NULL, NULL);
    entry(19, "TABLE ATTACH", "public", "parts_1", "17", "16");
    entry(20, "TABLE ATTACH", "public", "parts_1_a", "18", "17");
    entry(21, "VIEW", "public", "titles", "10", NULL);
    entry(22, "TABLE", "public", "Odd \"Name.x", NULL, NULL);
    entry(30, "TABLE DATA", "public", "events", "10", NULL);
    entry(31, "TABLE DATA", "public", "orgs", "11", NULL);
    entry(32, "TABLE DATA", "sales", "orgs", "12", NULL);
    entry(33, "TABLE DATA", "public", "parts_1_a", "18", NULL);
    entry(34, "TABLE DATA", "public", "Odd \"Name.x", "22", NULL);
    position = "SELECT pg_catalog.setval('public.events_id_seq', 2, true);\n";
    entry(35, "SEQUENCE SET", "public", "events_id_seq", "13", NULL);
    position = "SELECT pg_catalog.setval('public.orgs_id_seq', 1, false);\n";
    entry(36, "SEQUENCE", "public", "orgs_id_seq", "11", NULL);
    entry(37, "SEQUENCE SET", "public", "orgs_id_seq", "36", NULL);
    entry(38, "SEQUENCE", "public", "of_nobody", NULL, NULL);
    entry(40, "CONSTRAINT", "public", "events events_pkey", "10", NULL);
    entry(41, "CONSTRAINT", "public", "orgs orgs_pkey", "11", NULL);
    entry(42, "INDEX", "public", "events_title", "10", NULL);
    entry(43, "COMMENT", "public", "INDEX events_title", "42", NULL);
    entry(44, "FK CONSTRAINT", "public", "events events_org_fkey", "10", "11");
    entry(45, "FK CONSTRAINT", "public", "visits visits_event_fkey", "10", NULL); /* another table's, on events */
    entry(46, "TRIGGER", "public", "events touched", "10", NULL);
    entry(47, "COMMENT", "public", "TRIGGER touched ON events", "46", NULL);
    entry(48, "ACL", "public", "TABLE events", "10", NULL);
    entry(49, "INDEX ATTACH", "public", "events_title", "42", "41");
    entry(50, "PUBLICATION TABLE", "public", "p events", "10", NULL);
    entry(51, "RULE", "public", "eventsx r", "10", NULL);
    entry(52, "POLICY", "public", "events mine", "10", NULL);
    b_rows(&built, 0, 30, "1\n2\n", 100);
    return memory_archive(&archive, built.bytes, built.n, 0, &err);
}

static int tear_down(void **state)
{
    (void)state;
    archive_release(&archive);
    b_free(&built);
    return 0;
}

/* The numbers of the entries in that part, as text. */
static const char *ids(const struct excerpt *x, enum excerpt_part part)
{
    static char text[400];
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < archive.n; i++)
        if (x->parts[i] == part)
            n += (size_t)snprintf(text + n, sizeof text - n, "%d ", archive.entries[i].id);
    return text;
}

static void whole_table(void **state)
{
    const char *names[] = { "events" };
    struct excerpt x;
    struct err err = { 0 };
    struct buf needs;

    (void)state;
    assert_int_equal(excerpt_choose(&archive, names, 1, false, &x, &err), 0);
    assert_string_equal(ids(&x, EXCERPT_INSIDE), "1 10 13 14 15 30 35 40 42 43 48 ");
    assert_string_equal(ids(&x, EXCERPT_AFTER), "44 46 47 52 ");
    buf_init(&needs, 1000);
    excerpt_needs(&x, &needs);
    assert_string_equal(needs.data, "TYPE public.mood");
    buf_release(&needs);
    excerpt_release(&x);
}

static void rows_alone(void **state)
{
    const char *names[] = { "events", "public.orgs" };
    struct excerpt x;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(excerpt_choose(&archive, names, 2, true, &x, &err), 0);
    assert_string_equal(ids(&x, EXCERPT_INSIDE), "1 30 31 35 "); /* the owned sequence's position */
    assert_string_equal(ids(&x, EXCERPT_AFTER), "");
    excerpt_release(&x);
}

static void partitions(void **state)
{
    const char *all[] = { "parts" }, *one[] = { "parts_1" };
    struct excerpt x;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(excerpt_choose(&archive, all, 1, false, &x, &err), 0);
    assert_string_equal(ids(&x, EXCERPT_INSIDE), "1 16 17 18 19 20 33 ");
    assert_int_equal(x.n, 3);
    assert_null(x.tables[0].rows);
    excerpt_release(&x);
    assert_int_equal(excerpt_choose(&archive, one, 1, false, &x, &err), 0);
    assert_string_equal(ids(&x, EXCERPT_INSIDE), "1 17 18 20 33 "); /* not attached to what is not there */
    excerpt_release(&x);
}

static void finds(const char *name, int id)
{
    struct excerpt x;
    struct err err = { 0 };

    if (excerpt_choose(&archive, &name, 1, false, &x, &err) < 0)
        fail_msg("%s: %s", name, err.message);
    assert_int_equal(x.tables[0].definition->id, id);
    excerpt_release(&x);
}

static void refuses(const char *name, enum err_class class, const char *words)
{
    struct excerpt x;
    struct err err = { 0 };

    assert_int_equal(excerpt_choose(&archive, &name, 1, false, &x, &err), -1);
    assert_int_equal(err.class, class);
    assert_non_null(strstr(err.message, words));
}

static void names(void **state)
{
    static const char *const none[] = {
        "",      ".",          "\"",           "\"events", "public.",           ".events", "a.b.c",       "\"\"",
        "event", "\"EVENTS\"", "sales.events", "events ",  "public.\"EVENTS\"", "events;", "\"events\"x", "*",
        "%"
    };

    (void)state;
    finds("events", 10);
    finds("EVENTS", 10); /* as SQL would have it */
    finds("public.events", 10);
    finds("Public.\"events\"", 10);
    finds("sales.orgs", 12);
    finds("\"public\".orgs", 11);
    finds("Odd \"Name.x", 22); /* as it is */
    finds("\"Odd \"\"Name.x\"", 22);
    finds("public.\"Odd \"\"Name.x\"", 22);
    refuses("orgs", ERR_USAGE, "public.orgs, sales.orgs");
    refuses("titles", ERR_USAGE, "VIEW");
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        refuses(none[i], ERR_NOT_FOUND, "there is no table");
}

/* It can be read as any archive is, and holds what it should, in the order of the names. */
static void archive_of_it(void **state)
{
    const char *wanted[] = { "public.orgs", "events" };
    const struct archive_entry *data[2];
    struct archive a;
    struct excerpt x;
    struct err err = { 0 };
    struct buf out;
    size_t at = 0;

    (void)state;
    buf_init(&out, 1 << 20);
    assert_int_equal(excerpt_choose(&archive, wanted, 2, false, &x, &err), 0);
    assert_int_equal(excerpt_contents(&x, &out, &err), 0);
    for (size_t i = 0; i < 2; i++) {
        static const char rows[] = "1\n" B_END;

        excerpt_block_begin(&x, x.tables[i].rows, &out);
        excerpt_chunk(&x, sizeof rows - 1, &out);
        buf_add(&out, rows, sizeof rows - 1);
        excerpt_chunk(&x, 0, &out);
    }
    struct walk_result walked;
    assert_int_equal(memory_walk(out.data, out.size, 1, &walked, &err), 0);
    assert_int_equal(walked.tables.rows, 2);
    walk_result_release(&walked);

    assert_int_equal(memory_archive(&a, out.data, out.size, 0, &err), 0);
    assert_int_equal(a.method, ARCHIVE_NONE);
    assert_string_equal(a.server_version, archive.server_version);
    data[0] = archive_next_data(&a, &at);
    at++;
    data[1] = archive_next_data(&a, &at);
    assert_string_equal(data[0]->tag, "orgs");
    assert_string_equal(data[1]->tag, "events");
    for (size_t i = 0; i < a.n; i++) {
        const struct archive_entry *e = &a.entries[i], *was = archive_find(&archive, e->id);

        assert_string_equal(e->tag, was->tag);
        assert_string_equal(e->defn, was->defn);
        assert_int_equal(e->section, was->section);
        for (size_t k = 0; k < e->depends_n; k++) /* on nothing that is not in it */
            assert_non_null(archive_find(&a, e->depends[k]));
    }
    archive_release(&a);
    excerpt_release(&x);
    buf_release(&out);
}

/* In a table that is there the sequence may stand further on: it is not set, but moved on. */
static void moved_on(void **state)
{
    const char *wanted = "events";
    const char *last;
    struct archive a;
    struct excerpt x;
    struct err err = { 0 };
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 20);
    assert_int_equal(excerpt_choose(&archive, &wanted, 1, true, &x, &err), 0);
    assert_int_equal(excerpt_contents(&x, &out, &err), 0);
    assert_int_equal(memory_archive(&a, out.data, out.size, 0, &err), 0);
    last = a.entries[a.n - 1].defn; /* behind the rows */
    assert_string_equal(a.entries[a.n - 1].desc, "SEQUENCE SET");
    assert_non_null(strstr(last, "pg_catalog.to_regclass('public.events_id_seq')"));
    assert_non_null(strstr(last, "2 > COALESCE(pg_catalog.pg_sequence_last_value(seqrelid)"));
    archive_release(&a);
    excerpt_release(&x);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("a table is made of what is its own, and not of what others have with it", whole_table),
        PROMISE("rows alone are rows alone, and where they have brought the sequences", rows_alone),
        PROMISE("with rows alone a sequence is moved on, never set", moved_on),
        PROMISE("partitions come with their table, and are attached to nothing that is missing", partitions),
        PROMISE("a name is read as SQL reads it, and never means two tables", names),
        PROMISE("an excerpt is an archive, in the order of the names", archive_of_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
