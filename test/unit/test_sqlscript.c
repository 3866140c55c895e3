/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <sys/mman.h>

#include "core/pg/sqlscript.h"

static int scan(const char *text, size_t n, struct sqlscript_facts *facts, struct err *err)
{
    int fd = memfd_create("script", 0);
    int rc;

    assert_int_equal(write(fd, text, n), n);
    rc = sqlscript_scan(fd, "it", facts, err);
    close(fd);
    return rc;
}

static const char script[] = "-- PostgreSQL database dump\n\n\\restrict Key123\n\nSET x = 1;\n"
                             "CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public;\n"
                             "CREATE FUNCTION f() AS $$ GRANT x TO nobody; $$;\n"
                             "ALTER TABLE t OWNER TO \"two\nlines\";\n"
                             "COPY public.t (a) FROM stdin;\n\\.\n\nCOPY \"we;ird\".t (a) FROM stdin;\n"
                             "GRANT x TO not_a_role;\n'\n\\\\.\n\\.\n\n"
                             "GRANT SELECT ON TABLE t TO reader;\n\\unrestrict Key123\n\n";

static void facts(void **state)
{
    struct sqlscript_facts f;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(scan(script, sizeof script - 1, &f, &err), 0);
    assert_int_equal(f.roles.n, 2);
    assert_true(names_have(&f.roles, "two\nlines"));
    assert_true(names_have(&f.roles, "reader"));
    assert_int_equal(f.extensions.n, 1);
    assert_string_equal(f.restrict_key, "Key123");
    sqlscript_release(&f);
}

/* Megabytes of rows and of one statement in front, so that everything is cut into pieces somewhere. */
static void pieces(void **state)
{
    static const size_t sizes[] = { 262144 - 40, 262144 - 20, 262144 - 3, 262144, 3000000 };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t n = sizes[i], at;
        char *text = malloc(n + 200);
        struct sqlscript_facts f;
        struct err err = { 0 };

        at = (size_t)sprintf(text, "SELECT '");
        memset(text + at, '\n', n);
        at += n;
        at += (size_t)sprintf(text + at, "';\nCOPY t FROM stdin;\nGRANT x TO no;\n\\.\n\nGRANT SELECT ON t TO yes;\n");
        assert_int_equal(scan(text, at, &f, &err), 0);
        assert_int_equal(f.roles.n, 1);
        assert_true(names_have(&f.roles, "yes"));
        sqlscript_release(&f);
        free(text);
    }
}

static void commands(void **state)
{
    static const char *const refused[] = { "SELECT 1;\n\\connect other\n", "\\! ls\n", "\\i file\n",
                                           "\\copy t from 'x'\n" };

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct sqlscript_facts f;
        struct err err = { 0 };

        assert_int_equal(scan(refused[i], strlen(refused[i]), &f, &err), -1);
        assert_int_equal(err.class, ERR_RESTORE);
        assert_non_null(strstr(err.message, "psql commands"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("roles and extensions are found in statements, never in rows or texts", facts),
        PROMISE("it does not matter where the text is cut", pieces),
        PROMISE("psql's own commands are refused", commands),
    };

    return RUN_PROMISES(tests);
}
