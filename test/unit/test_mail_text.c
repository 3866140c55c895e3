/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <mbedtls/base64.h>

#include "core/io/mail_text.h"

static void assert_addresses(const char *text, const char *expected)
{
    struct mail_address *list = NULL;
    struct err err = { 0 };
    struct buf out;
    size_t n = 0;

    buf_init(&out, 4096);
    if (mail_addresses(text, &list, &n, &err) < 0)
        fail_msg("%s: %s", text, err.message);
    for (size_t i = 0; i < n; i++)
        buf_printf(&out, "[%s|%s]", list[i].name ? list[i].name : "", list[i].address);
    assert_string_equal(out.data, expected);
    mail_addresses_free(list, n);
    buf_release(&out);
}

static void addresses(void **state)
{
    (void)state;
    assert_addresses("ops@example.com", "[|ops@example.com]");
    assert_addresses(" a@b.c ,\td@e.f,", "[|a@b.c][|d@e.f]");
    assert_addresses("Ops on call <ops@example.com>", "[Ops on call|ops@example.com]");
    assert_addresses("\"Doe, Jane\" <jane@example.com>, x@y.z", "[Doe, Jane|jane@example.com][|x@y.z]");
    assert_addresses("\"a \\\"b\\\" <c>\" <d@e.f>", "[a \"b\" <c>|d@e.f]");
    assert_addresses("Jürgen <j@example.com>", "[Jürgen|j@example.com]");
    assert_addresses("<ops+backups@mail-1.example.com>", "[|ops+backups@mail-1.example.com]");
    assert_addresses("root@localhost", "[|root@localhost]");
}

static void no_addresses(void **state)
{
    static const char *const wrong[] = {
        "",
        " , ",
        "ops",
        "ops@",
        "@example.com",
        "a b@example.com",
        "a@b c",
        "a@b@c",
        "a@b.c>",
        "<a@b.c",
        "a;b@c.d",
        "a@b.c\r\nBcc: x@y.z",
        "a\x01@b.c",
        "\"x\r\nBcc: y@z.q\" <a@b.c>",
        "a@exämple.com",
        "a@-b.c",
        "a@.b",
        "a@b.c> SIZE=1",
        "x <a@b.c> y",
        "a@b.c d@e.f",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct mail_address *list = NULL;
        struct err err = { 0 };
        size_t n = 0;

        if (mail_addresses(wrong[i], &list, &n, &err) == 0)
            fail_msg("\"%s\" was taken for an address", wrong[i]);
        assert_int_equal(err.class, ERR_CONFIG);
    }
}

static const char *header(const char *text)
{
    static char out[4096];
    struct buf b;

    buf_init(&b, sizeof out - 1);
    mail_header_text(&b, strlen("Subject: "), text);
    snprintf(out, sizeof out, "%s", b.data);
    buf_release(&b);
    return out;
}

/* Each line of an encoded value: not too long, one word of whole characters. What the words hold is appended to text. */
static void read_words(const char *value, struct buf *text)
{
    for (const char *line = value; line;) {
        const char *end = strstr(line, "\r\n"), *word = line + (line == value ? 0 : 1);
        size_t n = end ? (size_t)(end - word) : strlen(word), size = 0;
        unsigned char decoded[80];

        assert_in_range(n, 12, 76 - (line == value ? strlen("Subject: ") : 1));
        assert_memory_equal(word, "=?UTF-8?B?", 10);
        assert_memory_equal(word + n - 2, "?=", 2);
        assert_true(line == value || *line == ' ');
        assert_int_equal(
            mbedtls_base64_decode(decoded, sizeof decoded, &size, (const unsigned char *)word + 10, n - 12), 0);
        assert_true((decoded[0] & 0xC0) != 0x80);
        buf_add(text, decoded, size);
        line = end ? end + 2 : NULL;
    }
}

static void headers(void **state)
{
    (void)state;
    assert_string_equal(header("Database backup failed: production (db1)"), "Database backup failed: production (db1)");
    assert_string_equal(header("❌ failed"), "=?UTF-8?B?4p2MIGZhaWxlZA==?=");
    assert_string_equal(header("a\r\nBcc: x@y.z"), "=?UTF-8?B?YQ0KQmNjOiB4QHkueg==?=");
    assert_string_equal(header("=?UTF-8?B?YQ==?="), "=?UTF-8?B?PT9VVEYtOD9CP1lRPT0/PQ==?=");
    for (int shift = 0; shift < 4; shift++) { /* so that words end in each byte of a character */
        struct buf text, back;

        buf_init(&text, 4096);
        buf_init(&back, 4096);
        buf_printf(&text, "%.*s", shift, "xyz");
        for (int i = 0; i < 100; i++)
            buf_puts(&text, "❌😀é");
        read_words(header(text.data), &back);
        assert_string_equal(text.data, back.data);
        buf_release(&text);
        buf_release(&back);
    }
}

static void names(void **state)
{
    struct mail_address list[] = { { (char *)"Ops", (char *)"ops@example.com" },
                                   { NULL, (char *)"x@y.z" },
                                   { (char *)"a \"b\"", (char *)"c@d.e" },
                                   { (char *)"Jürgen", (char *)"j@example.com" } };
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    mail_header_addresses(&out, 4, list, 4);
    assert_string_equal(out.data, "\"Ops\" <ops@example.com>,\r\n x@y.z,\r\n \"a \\\"b\\\"\" <c@d.e>,\r\n "
                                  "=?UTF-8?B?SsO8cmdlbg==?=\r\n <j@example.com>");
    buf_release(&out);
}

static void dates(void **state)
{
    char out[MAIL_DATE];

    (void)state;
    assert_string_equal(mail_date(out, 1761184815), "Thu, 23 Oct 2025 02:00:15 +0000");
    assert_string_equal(mail_date(out, 0), "Thu, 1 Jan 1970 00:00:00 +0000");
}

static void line_ends(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    mail_lines(&out, "a\nb\r\nc\rd\n");
    assert_string_equal(out.data, "a\r\nb\r\nc\r\nd\r\n");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("a list of addresses is read, with names and quotes", addresses),
        PROMISE("what is no address is refused, above all what would begin another header", no_addresses),
        PROMISE("a header's text is ASCII in lines of 76 columns, characters whole, and begins no other header",
                headers),
        PROMISE("names stand before addresses, quoted or encoded as they need it", names),
        PROMISE("a date is as RFC 5322 has it, in English whatever the locale", dates),
        PROMISE("every line ends in CRLF", line_ends),
    };

    return RUN_PROMISES(tests);
}
