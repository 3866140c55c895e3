/* SPDX-License-Identifier: PostgreSQL */
/* test_probe.c - which URLs may be asked, and how they are shown. (That one is asked: test/live/drill_fails.bats.) */
#include "test/unit/unit.h"

#include "core/io/probe.h"

static void shows(const char *url, const char *expected)
{
    char out[200];

    assert_string_equal(probe_show(out, sizeof out, url), expected);
}

static void what_may_be_secret_is_not_shown(void **state)
{
    (void)state;
    shows("https://example.com/health", "https://example.com/health");
    shows("https://user:pass@example.com:8443/health?key=1#part", "https://example.com:8443/health?...");
    shows("https://a@b@example.com/x@y", "https://example.com/x@y");
    shows("https://example.com?key=1", "https://example.com?...");
    shows("http://user@host", "http://host");
    shows("no url at all", "no url at all");
}

static int check(const char *url, struct err *err)
{
    struct probe p = { .url = url };

    err_clear(err);
    return probe_check(&p, err);
}

static void only_http_and_https_are_asked(void **state)
{
    struct err err = { 0 };

    (void)state;
    assert_int_equal(check("http://localhost:8000/", &err), 0);
    assert_int_equal(check("HTTPS://example.com", &err), 0);
    assert_int_equal(check("file:///etc/passwd", &err), -1);
    assert_int_equal(err.class, ERR_CONFIG);
    assert_int_equal(check("https://", &err), -1);
    assert_int_equal(check("https:///path", &err), -1);
    assert_int_equal(check("example.com", &err), -1);
    assert_int_equal(check("ftp://user:hidden@example.com", &err), -1);
    assert_null(strstr(err.message, "hidden"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("what may be secret is not shown", what_may_be_secret_is_not_shown),
        PROMISE("only http and https are asked", only_http_and_https_are_asked),
    };

    return RUN_PROMISES(tests);
}
