/* SPDX-License-Identifier: PostgreSQL */
/* test_html.c - pages: what comes from outside stays text, and a page needs nothing but itself. */
#include "test/unit/unit.h"

#include "core/watch/html.h"

static struct buf out;

static const char *text(const char *value)
{
    buf_reset(&out);
    html_text(&out, value);
    return out.data;
}

static void escaping(void **state)
{
    (void)state;
    buf_init(&out, 100000);
    assert_string_equal(text("größe ✅"), "größe ✅");
    assert_string_equal(text("<script>alert('x & \"y\"')</script>"),
                        "&lt;script&gt;alert(&#39;x &amp; &quot;y&quot;&#39;)&lt;/script&gt;");
    assert_string_equal(text("&amp;"), "&amp;amp;");
    assert_string_equal(text("a\nb\x1B[0m"), "a\\nb\\x1B[0m");
    assert_string_equal(text("\xE2\x80\xAE"), "\\xE2\\x80\\xAE"); /* turns a line around */
    assert_string_equal(text("\xE2\x80\x8F"), "\\xE2\\x80\\x8F"); /* right-to-left mark */
    assert_string_equal(text("\xFF\xC0\xBC"), "\\xFF\\xC0\\xBC"); /* no UTF-8; an overlong '<' */
    assert_string_equal(text(""), "");
    assert_string_equal(text(NULL), "");
    buf_release(&out);
}

static void adding(void **state)
{
    (void)state;
    buf_init(&out, 100000);
    html_add(&out, "<b>%s</b> %d %zu 100%% <i>%s</i>", "<", -7, (size_t)42, "&");
    assert_string_equal(out.data, "<b>&lt;</b> -7 42 100% <i>&amp;</i>");
    assert_false(out.failed);
    html_add(&out, "%5s", "x");
    assert_true(out.failed);
    buf_reset(&out);
    html_add(&out, "%zd", (ssize_t)1);
    assert_true(out.failed);
    buf_release(&out);
    buf_init(&out, 8);
    html_add(&out, "%s", "<<<<<<"); /* what does not fit is not cut quietly */
    assert_true(out.failed);
    buf_release(&out);
}

static void times(void **state)
{
    (void)state;
    buf_init(&out, 100000);
    html_time(&out, 1761973980);
    html_time(&out, 0);
    html_date(&out, 1761973980);
    assert_string_equal(out.data, "<time datetime=\"2025-11-01T05:13:00Z\">2025-11-01 05:13 UTC</time>–"
                                  "<time datetime=\"2025-11-01T05:13:00Z\">1&nbsp;November&nbsp;2025, "
                                  "05:13&nbsp;UTC</time>");
    buf_release(&out);
}

static void frame(void **state)
{
    (void)state;
    buf_init(&out, 100000);
    html_begin(&out, "a <title>");
    html_end(&out, "a <footer>");
    assert_ptr_equal(strstr(out.data, "<!doctype html>\n<html lang=\"en\">"), out.data);
    assert_non_null(strstr(out.data, "<title>a &lt;title&gt;</title>"));
    assert_non_null(strstr(out.data, "default-src 'none'"));
    assert_non_null(strstr(out.data, "width=device-width"));
    assert_non_null(strstr(out.data, "<p>a &lt;footer&gt;</p>"));
    assert_null(strstr(out.data, "<script"));
    assert_null(strstr(out.data, "http:"));
    assert_null(strstr(out.data, "https:"));
    assert_null(strstr(html_style, "url("));
    assert_null(strstr(html_style, "@import"));
    assert_null(strstr(html_style, "<"));
    buf_release(&out);
}

static void badges(void **state)
{
    (void)state;
    buf_init(&out, 100000);
    for (int s = HTML_GOOD; s <= HTML_NEUTRAL; s++) {
        char sign[64];

        buf_reset(&out);
        html_badge(&out, (enum html_state)s, "a word");
        snprintf(sign, sizeof sign, "href=\"#sign-%s\"", html_state_name((enum html_state)s));
        assert_non_null(strstr(out.data, sign));
        assert_non_null(strstr(out.data, "a word"));
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("text stays text, whatever is in it, and what would hide is seen", escaping),
        PROMISE("what is put into markup is escaped, and what can't be put fails", adding),
        PROMISE("times can be read by people and programs", times),
        PROMISE("a page names its language and loads nothing", frame),
        PROMISE("no state is told by colour alone: each has its sign and its word", badges),
    };

    return RUN_PROMISES(tests);
}
