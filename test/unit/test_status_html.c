/* SPDX-License-Identifier: PostgreSQL */
/* test_status_html.c - the status as a page: what is wrong comes first, and every figure is the judge's. */
#include "test/unit/unit.h"

#include "test/unit/status_build.h"

static struct buf out;

static const char *page(struct standing *s)
{
    buf_init(&out, 16 * 1024 * 1024);
    standing_page(&out, s);
    assert_false(out.failed);
    return out.data;
}

static void end(struct standing *s)
{
    buf_release(&out);
    standing_free(s);
}

static size_t count(const char *needle)
{
    size_t n = 0;

    for (const char *at = out.data; (at = strstr(at, needle)) != NULL; at++)
        n++;
    return n;
}

static void fine(void **state)
{
    struct standing *s = standing_fine();
    const char *html = page(s);

    (void)state;
    assert_non_null(strstr(html, "<title>Backups of production: "));
    assert_non_null(strstr(html, "<dt>Newest backup</dt><dd>3 hours ago</dd>"));
    assert_non_null(strstr(html, "<dt>Newest proven backup</dt><dd>3 days ago</dd>"));
    assert_int_equal(count("<figure>"), 4);
    assert_non_null(strstr(html, "90 backups from 2025-08-04 to 2025-11-01, 1 failed: lowest "));
    assert_non_null(strstr(html, "13 drills from "));
    assert_non_null(strstr(html, "; limit 1h"));
    for (size_t i = 0; i < s->status.n; i++)
        assert_non_null(strstr(html, s->status.checks[i].title));
    assert_int_equal(count("</svg>proven</span>"), 2); /* of the twelve newest */
    end(s);
}

static void trouble(void **state)
{
    struct standing *s = standing_trouble();
    const char *html = page(s), *critical;

    (void)state;
    assert_int_equal(s->status.level, STATUS_CRITICAL);
    assert_non_null(strstr(html, "<h1>The backups are in trouble.</h1>"));
    critical = strstr(html, "</svg>critical</span></td>");
    assert_non_null(critical);
    assert_true(critical < strstr(html, "</svg>fine</span></td>"));
    assert_non_null(strstr(html, "</svg>drill failed</span>"));
    assert_non_null(strstr(html, "backup: the disk is full"));
    end(s);
}

static void nothing(void **state)
{
    struct standing *s = standing_new();
    const char *html = page(s);

    (void)state;
    assert_non_null(strstr(html, "No backups yet."));
    assert_non_null(strstr(html, "No drills yet."));
    assert_non_null(strstr(html, "<dt>Newest backup</dt><dd>none</dd>"));
    assert_null(strstr(html, "<h2>Runs</h2>"));
    end(s);
}

static void hostile(void **state)
{
    struct standing *s = standing_hostile();
    const char *html = page(s);

    (void)state;
    assert_null(strstr(html, "<script"));
    assert_null(strstr(html, "\x1B"));
    assert_null(strstr(html, "\xE2\x80\xAE"));
    assert_null(strstr(html, "\xFF"));
    assert_non_null(strstr(html, "&lt;script&gt;"));
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("the page shows each check, the trends and what is proven", fine),
        PROMISE("what is wrong comes first", trouble),
        PROMISE("a host that knows nothing has a page that says so", nothing),
        PROMISE("nothing from outside is more than text", hostile),
    };

    return RUN_PROMISES(tests);
}
