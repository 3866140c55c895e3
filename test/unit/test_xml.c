/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/store/xml.h"

/* All events as text: "<a", "a>text", "!failure". */
static const char *walk(const void *bytes, size_t n)
{
    static struct buf out;
    struct xml x;

    buf_release(&out);
    buf_init(&out, 100000);
    xml_init(&x, bytes, n);
    while (xml_next(&x) != XML_END)
        if (x.event == XML_OPEN)
            buf_printf(&out, "<%s ", x.names[x.depth - 1]);
        else
            buf_printf(&out, "%s>%s ", x.names[x.depth - 1], x.text.data);
    if (xml_failed(&x))
        buf_printf(&out, "!%s", xml_failed(&x));
    xml_release(&x);
    return out.data;
}

#define WALK(text) walk(text, sizeof(text) - 1)

static void elements(void **state)
{
    (void)state;
    assert_string_equal(WALK("<a><b>x</b><c/></a>"), "<a <b b>x <c c> a> ");
    assert_string_equal(
        WALK(
            "\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<!-- <x> -->\n<s3:a xmlns=\"u>v\" y='\"'><b z=\"/>\">1</b\n></s3:a>\n"),
        "<a <b b>1 a> ");
    assert_string_equal(WALK("<a>x<b>y</b>z</a>"), "<a <b b>y a>z ");
    assert_string_equal(WALK("<a><![CDATA[<b>&amp;]]></a>"), "<a a><b>&amp; ");
}

static void texts(void **state)
{
    (void)state;
    assert_string_equal(WALK("<a>&lt;&gt;&amp;&quot;&apos;</a>"), "<a a><>&\"' ");
    assert_string_equal(WALK("<a>&#65;&#x42;&#xe9;&#x20ac;&#x1F600;</a>"),
                        "<a a>AB\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 ");
}

static void garbage(void **state)
{
    static const char *const bad[] = {
        "",
        "   ",
        "x",
        "<",
        "<a",
        "<a>",
        "</a>",
        "<a></b>",
        "<a/><b/>",
        "<a>&nope;</a>",
        "<a>&</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#1114112;</a>",
        "<a>&#-1;</a>",
        "<a>&#;</a>",
        "<a>&#x;</a>",
        "<!DOCTYPE a []><a/>",
        "<a b='></a>",
        "<a <b/></a>",
        "<a><![CDATA[x</a>",
        "<a/>x",
        "x<a/>",
        "<a><!-- </a>",
        "<>x</>",
        "<a></a x>",
        "HTTP/1.1 400",
        "{\"a\": 1}",
        "<a>&#65</a>",
        "<a/>&amp;",
        "<?xml",
        "<a></a",
        "<a></ a>",
    };
    static const char nul[] = "<a>\0</a>";

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!strchr(walk(bad[i], strlen(bad[i])), '!'))
            fail_msg("taken for XML: %s", bad[i]);
    assert_non_null(strchr(walk(nul, sizeof nul - 1), '!'));
}

static void limits(void **state)
{
    char deep[XML_DEPTH * 4 + 8], name[XML_NAME + 8];
    char *large = malloc(XML_TEXT + 64);
    struct xml x;

    (void)state;
    *deep = '\0';
    for (int i = 0; i <= XML_DEPTH; i++)
        memcpy(deep + 3 * i, "<a>", 4);
    assert_non_null(strstr(walk(deep, strlen(deep)), "!elements too deep"));
    memset(name, 'n', sizeof name);
    name[0] = '<';
    name[sizeof name - 1] = '>';
    assert_non_null(strstr(walk(name, sizeof name), "too long a one"));
    memset(large, 'x', XML_TEXT + 64);
    memcpy(large, "<a>", 3);
    xml_init(&x, large, XML_TEXT + 64);
    while (xml_next(&x) != XML_END)
        ;
    assert_string_equal(xml_failed(&x), "a text that is too long");
    assert_int_equal(xml_next(&x), XML_END); /* and stays so */
    xml_release(&x);
    free(large);
}

/* Every cut of a good answer fails, and none crashes. */
static void every_cut(void **state)
{
    static const char good[] =
        "<?xml version='1.0'?><R xmlns=\"u\"><!-- c --><K a='b'>v&amp;&#65;</K><![CDATA[x]]><E/></R>";

    (void)state;
    assert_null(strchr(WALK(good), '!'));
    for (size_t n = 0; n < sizeof good - 1; n++) {
        char *copy = malloc(n + 1); /* so that ASan sees a step beyond */

        memcpy(copy, good, n);
        assert_non_null(strchr(walk(copy, n), '!'));
        free(copy);
    }
}

static void paths(void **state)
{
    static const char text[] = "<Error><Code>A</Code><Inner><Code>B</Code></Inner></Error>";
    struct buf out;

    (void)state;
    buf_init(&out, 100);
    assert_true(xml_find(text, sizeof text - 1, "Inner/Code", &out));
    assert_string_equal(out.data, "B");
    buf_reset(&out);
    assert_true(xml_find(text, sizeof text - 1, "Code", &out));
    assert_string_equal(out.data, "A");
    buf_reset(&out);
    assert_false(xml_find(text, sizeof text - 1, "Other/Code", &out));
    assert_false(xml_find(text, sizeof text - 1, "or/Code", &out));
    assert_false(xml_find(text, sizeof text - 1, "X/Error/Code", &out));
    buf_release(&out);
}

static void escapes(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 100);
    xml_escape(&out, "<a>&\"b\"\r</a>");
    assert_string_equal(out.data, "&lt;a&gt;&amp;&quot;b&quot;&#13;&lt;/a&gt;");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("elements come in order; attributes, comments, namespaces and instructions don't", elements),
        PROMISE("entities and character references become characters", texts),
        PROMISE("garbage is refused", garbage),
        PROMISE("depth, names and texts have limits", limits),
        PROMISE("an answer that was cut anywhere is refused", every_cut),
        PROMISE("an element is found by the end of its path", paths),
        PROMISE("what is written is escaped", escapes),
    };
    return RUN_PROMISES(tests);
}
