/* SPDX-License-Identifier: PostgreSQL */
/* test_health.c - what an archive's contents say of sequences and constraints. */
#include "test/unit/unit.h"

#include "core/pg/health.h"

static bool position(const char *desc, const char *defn, struct health_position *out)
{
    const struct archive_entry e = { .desc = desc, .defn = defn };

    return health_sequence_of(&e, out);
}

static void a_sequence_stands_where_its_entry_says(void **state)
{
    struct health_position at;

    (void)state;
    assert_true(position("SEQUENCE SET", "SELECT pg_catalog.setval('public.s', 42, true);\n", &at));
    assert_string_equal(at.last, "42");
    assert_true(at.called);
    assert_true(position("SEQUENCE SET",
                         "SELECT pg_catalog.setval('public.\"it''s, 7, (true)\"', -9223372036854775808, false);\n",
                         &at));
    assert_string_equal(at.last, "-9223372036854775808");
    assert_false(at.called);
}

static void what_is_no_setval_says_nothing(void **state)
{
    struct health_position at;

    (void)state;
    assert_false(position("SEQUENCE", "CREATE SEQUENCE public.s", &at));
    assert_false(position("SEQUENCE SET", NULL, &at));
    assert_false(position("SEQUENCE SET", "", &at));
    assert_false(position("SEQUENCE SET", "SELECT pg_catalog.setval('public.s'", &at));
    assert_false(position("SEQUENCE SET", "SELECT pg_catalog.setval('public.s', 42", &at));
    assert_false(position("SEQUENCE SET", "SELECT pg_catalog.setval('public.s', 42, maybe);", &at));
    assert_false(
        position("SEQUENCE SET", "SELECT pg_catalog.setval('public.s', 123456789012345678901234567890, true);", &at));
}

static void a_constraint_is_not_valid_when_its_statement_ends_so(void **state)
{
    struct archive_entry entries[] = {
        { .desc = "TABLE", .tag = "t a", .schema = "public", .defn = "CREATE TABLE ... NOT VALID;" },
        { .desc = "CHECK CONSTRAINT",
          .tag = "t a",
          .schema = "public",
          .defn = "ALTER TABLE public.t\n    ADD CONSTRAINT a CHECK ((n > 0)) NOT VALID;\n" },
        { .desc = "CHECK CONSTRAINT",
          .tag = "t b",
          .schema = "public",
          .defn = "ALTER TABLE public.t\n    ADD CONSTRAINT b CHECK ((NOT valid));\n" },
        { .desc = "FK CONSTRAINT",
          .tag = "t c",
          .schema = "public",
          .defn =
              "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT c FOREIGN KEY (n) REFERENCES public.o(n) NOT VALID;\n" },
        { .desc = "CHECK CONSTRAINT", .tag = "t a", .schema = "other", .defn = "ALTER ... CHECK ((n > 0));" },
    };
    const struct archive a = { .entries = entries, .n = sizeof entries / sizeof *entries };

    (void)state;
    assert_true(health_is_not_valid(&a, "public", "t a"));
    assert_false(health_is_not_valid(&a, "public", "t b"));
    assert_true(health_is_not_valid(&a, "public", "t c"));
    assert_false(health_is_not_valid(&a, "other", "t a"));
    assert_false(health_is_not_valid(&a, "public", "t d"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("a sequence stands where its entry says", a_sequence_stands_where_its_entry_says),
        PROMISE("what is no setval says nothing", what_is_no_setval_says_nothing),
        PROMISE("a constraint is NOT VALID when its statement ends so",
                a_constraint_is_not_valid_when_its_statement_ends_so),
    };

    return RUN_PROMISES(tests);
}
