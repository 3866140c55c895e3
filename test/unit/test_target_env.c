/* SPDX-License-Identifier: PostgreSQL */
/* test_target_env.c - the URL and the variables by which another program finds the same database. */
#include "test/unit/unit.h"

#include "core/pg/target_env.h"

static void url_is(const char *from, const char *expected)
{
    struct err err = { 0 };
    struct target *t = target_parse(from, &err), *again;
    struct buf url, once_more;

    buf_init(&url, 4096);
    buf_init(&once_more, 4096);
    assert_non_null(t);
    target_url(t, &url);
    assert_string_equal(url.data, expected);
    again = target_parse(url.data, &err); /* what it says is what was said */
    assert_non_null(again);
    target_url(again, &once_more);
    assert_string_equal(once_more.data, expected);
    target_free(t);
    target_free(again);
    buf_release(&url);
    buf_release(&once_more);
}

static void a_url_says_all_that_was_said_and_escapes_it(void **state)
{
    (void)state;
    url_is("postgresql://bob:p%40ss%2Fw%3Ard@db.example:6432/shop",
           "postgresql://bob:p%40ss%2Fw%3Ard@db.example:6432/shop");
    url_is("postgresql://bob@[::1]/shop?sslmode=require", "postgresql://bob@[::1]:5432/shop?sslmode=require");
    url_is("postgresql://bob@one:1,two:2/shop", "postgresql://bob@one:1,two:2/shop");
    url_is("host=/tmp/a%20b user=bob dbname='a b?c' options='-c x=1'",
           "postgresql://bob@/a%20b%3Fc?host=/tmp/a%2520b&port=5432&options=-c%20x%3D1");
}

/* The one entry that begins with name and =; NULL: none. */
static const char *entry(char *const *environment, const char *name)
{
    const char *found = NULL;
    size_t n = strlen(name);

    for (; *environment != NULL; environment++)
        if (strncmp(*environment, name, n) == 0 && (*environment)[n] == '=') {
            assert_null(found);
            found = *environment + n + 1;
        }
    return found;
}

static void nothing_in_the_environment_points_elsewhere(void **state)
{
    struct err err = { 0 };
    struct target *t;
    char **e;

    (void)state;
    setenv("DATABASE_URL", "postgresql://prod/x", 1);
    setenv("PRODUCTION_DATABASE_URL", "postgresql://prod/x", 1);
    setenv("STAGING_DATABASE_URL", "postgresql://staging/x", 1);
    setenv("PGHOSTADDR", "10.1.2.3", 1);
    setenv("PGDATABASE", "elsewhere", 1);
    setenv("PGPASSWORD", "of-another", 1);
    setenv("SFB_UNRELATED", "kept", 1);
    t = target_parse("postgresql://bob:secret@db.example/shop?hostaddr=", &err);
    assert_non_null(t);
    e = target_environment(t, &err);
    assert_non_null(e);
    assert_string_equal(entry(e, "DATABASE_URL"), "postgresql://bob:secret@db.example:5432/shop");
    assert_string_equal(entry(e, "PGHOST"), "db.example");
    assert_string_equal(entry(e, "PGPORT"), "5432");
    assert_string_equal(entry(e, "PGUSER"), "bob");
    assert_string_equal(entry(e, "PGPASSWORD"), "secret");
    assert_string_equal(entry(e, "PGDATABASE"), "shop");
    assert_string_equal(entry(e, "SFB_UNRELATED"), "kept");
    assert_null(entry(e, "PRODUCTION_DATABASE_URL"));
    assert_null(entry(e, "STAGING_DATABASE_URL"));
    assert_null(entry(e, "PGHOSTADDR"));
    target_environment_free(e);
    target_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("a URL says all that was said, and escapes it", a_url_says_all_that_was_said_and_escapes_it),
        PROMISE("nothing in the environment points elsewhere", nothing_in_the_environment_points_elsewhere),
    };

    return RUN_PROMISES(tests);
}
