/* SPDX-License-Identifier: PostgreSQL */
/* test_hostpg.c - which of the host's PostgreSQL servers serves a backup. */
#include "test/unit/unit.h"

#include "core/pg/hostpg.h"

static void the_major_is_read_from_what_postgres_says(void **state)
{
    (void)state;
    assert_int_equal(hostpg_parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), 15);
    assert_int_equal(hostpg_parse_version("postgres (PostgreSQL) 18beta1\n"), 18);
    assert_int_equal(hostpg_parse_version("postgres (PostgreSQL) 9.6.24\n"), 9);
    assert_int_equal(hostpg_parse_version("postgres (PostgreSQL) \n"), 0);
    assert_int_equal(hostpg_parse_version("postgres (PostgreSQL) devel\n"), 0);
    assert_int_equal(hostpg_parse_version("mysqld 15.1\n"), 0);
    assert_int_equal(hostpg_parse_version(""), 0);
}

static void the_same_major_is_best_then_the_next_newer_and_never_an_older(void **state)
{
    const int majors[] = { 18, 15, 0, 17, 13 };

    (void)state;
    assert_int_equal(hostpg_choose(majors, 5, 15), 1);
    assert_int_equal(hostpg_choose(majors, 5, 16), 3);
    assert_int_equal(hostpg_choose(majors, 5, 12), 4);
    assert_int_equal(hostpg_choose(majors, 5, 19), 5);
    assert_int_equal(hostpg_choose(majors, 0, 15), 0);
}

static void any_means_the_newest(void **state)
{
    const int majors[] = { 15, 18, 0, 17 };

    (void)state;
    assert_int_equal(hostpg_choose(majors, 4, 0), 1);
    assert_int_equal(hostpg_choose(majors + 2, 1, 0), 1);
}

static void a_program(const char *name, const char *words)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    fprintf(file, "#!/bin/sh\necho '%s'\n", words);
    fclose(file);
    assert_int_equal(chmod(name, 0755), 0);
}

static void the_directory_that_was_named_is_the_only_one_that_counts(void **state)
{
    struct hostpg found;
    struct err err = { 0 };
    char here[4096];

    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(hostpg_find(here, 15, &found, &err), -1);
    assert_int_equal(err.class, ERR_CONFIG);
    assert_non_null(strstr(err.message, "SFB_PG_BINDIR"));
    err_clear(&err);
    a_program("initdb", "initdb");
    a_program("postgres", "postgres (PostgreSQL) 14.2");
    assert_int_equal(hostpg_find(here, 15, &found, &err), -1);
    assert_int_equal(err.class, ERR_CONFIG);
    assert_non_null(strstr(err.message, "only older servers: 14"));
    assert_non_null(strstr(err.hint, "PostgreSQL 15 or newer"));
    err_clear(&err);
    assert_int_equal(hostpg_find(here, 14, &found, &err), 0);
    assert_int_equal(found.major, 14);
    assert_string_equal(found.bindir, here);
    hostpg_release(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("the major is read from what postgres says", the_major_is_read_from_what_postgres_says),
        PROMISE("the same major is best, then the next newer, and never an older",
                the_same_major_is_best_then_the_next_newer_and_never_an_older),
        PROMISE("any means the newest", any_means_the_newest),
        PROMISE_IN_DIR("the directory that was named is the only one that counts",
                       the_directory_that_was_named_is_the_only_one_that_counts),
    };

    return RUN_PROMISES(tests);
}
