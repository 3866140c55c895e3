/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/pg/database.h"

static void working_names(void **state)
{
    static const struct {
        const char *name, *expected;
    } cases[] = {
        { "app", "app_sfb_restore_4711" },
        { "", "_sfb_restore_4711" },
        { "0123456789012345678901234567890123456789012345678901234567890xx",
          "01234567890123456789012345678901234567890_sfb_restore_4711" },
        /* cut within a character of two bytes: none of it stays */
        { "012345678901234567890123456789012345678901234üxxxxxxxxxxxxxxxxx",
          "012345678901234567890123456789012345678901234_sfb_restore_4711" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *name = database_working_name(cases[i].name, 4711);

        assert_true(strlen(name) <= 63);
        assert_true(strstr(name, "_sfb_restore_4711") != NULL);
        if (i != 2)
            assert_string_equal(name, cases[i].expected);
        free(name);
    }
}

static struct archive archive_of(struct archive_entry *entries, size_t n)
{
    return (struct archive){ .database = "my \"db\"", .entries = entries, .n = n };
}

static void assert_act(const struct database *d, size_t i, const char *before, const char *after)
{
    assert_true(i < d->n_acts);
    assert_string_equal(d->acts[i].before, before);
    assert_string_equal(d->acts[i].after, after);
}

static void from_archive(void **state)
{
    struct archive_entry entries[] = {
        { .desc = "DATABASE",
          .tag = "my \"db\"",
          .owner = "lord",
          .defn = "CREATE DATABASE \"my \"\"db\"\"\" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu "
                  "LC_COLLATE = 'de_DE.UTF-8' LC_CTYPE = 'C' ICU_LOCALE = 'de''x' TABLESPACE = \"Far\";\n" },
        { .desc = "COMMENT",
          .tag = "DATABASE \"my \"\"db\"\"\"",
          .defn = "COMMENT ON DATABASE \"my \"\"db\"\"\" IS 'it; DATABASE x';\n" },
        { .desc = "COMMENT", .tag = "TABLE t", .defn = "COMMENT ON TABLE t IS 'x';\n" },
        { .desc = "DATABASE PROPERTIES",
          .tag = "my \"db\"",
          .defn =
              "ALTER DATABASE \"my \"\"db\"\"\" CONNECTION LIMIT = 7;\nALTER DATABASE \"my \"\"db\"\"\" IS_TEMPLATE = true;\n"
              "ALTER DATABASE \"my \"\"db\"\"\" SET search_path TO 'a', 'b';\n"
              "ALTER ROLE r IN DATABASE \"my \"\"db\"\"\" SET work_mem TO '5MB';\n"
              "UPDATE pg_catalog.pg_database SET datfrozenxid = '1';\nALTER DATABASE other SET x TO 1;\n" },
        { .desc = "ACL",
          .tag = "DATABASE \"my \"\"db\"\"\"",
          .defn = "REVOKE CONNECT ON DATABASE \"my \"\"db\"\"\" FROM PUBLIC;\n" },
    };
    struct archive a = archive_of(entries, sizeof entries / sizeof entries[0]);
    struct database d;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(database_from_archive(&a, &d, &err), 0);
    assert_string_equal(d.owner, "lord");
    assert_string_equal(d.shape.encoding, "UTF8");
    assert_string_equal(d.shape.provider, "icu");
    assert_string_equal(d.shape.collate, "de_DE.UTF-8");
    assert_string_equal(d.shape.ctype, "C");
    assert_string_equal(d.shape.locale, "de'x");
    assert_string_equal(d.shape.tablespace, "Far");
    assert_int_equal(d.n_acts, 5);
    assert_act(&d, 0, "COMMENT ON DATABASE ", " IS 'it; DATABASE x'");
    assert_act(&d, 1, "ALTER DATABASE ", " CONNECTION LIMIT = 7");
    assert_act(&d, 2, "ALTER DATABASE ", " SET search_path TO 'a', 'b'");
    assert_act(&d, 3, "ALTER ROLE r IN DATABASE ", " SET work_mem TO '5MB'");
    assert_act(&d, 4, "REVOKE CONNECT ON DATABASE ", " FROM PUBLIC");
    database_release(&d);
}

static void older(void **state)
{
    struct archive_entry entries[] = {
        { .desc = "DATABASE",
          .tag = "old",
          .owner = "",
          .defn = "CREATE DATABASE old WITH TEMPLATE = template0 ENCODING = 'LATIN1' LOCALE = 'C';\n" },
    };
    struct archive a = archive_of(entries, 1), none = archive_of(NULL, 0);
    struct database d;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(database_from_archive(&a, &d, &err), 0);
    assert_null(d.owner);
    assert_string_equal(d.shape.collate, "C");
    assert_string_equal(d.shape.ctype, "C");
    assert_null(d.shape.provider);
    database_release(&d);
    assert_int_equal(database_from_archive(&none, &d, &err), 0);
    assert_null(d.shape.encoding);
    assert_int_equal(d.n_acts, 0);
    database_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("a working name fits, whatever the name, and cuts no character", working_names),
        PROMISE("what an archive says of its database can be said of another one", from_archive),
        PROMISE("archives that say less are fine", older),
    };

    return RUN_PROMISES(tests);
}
