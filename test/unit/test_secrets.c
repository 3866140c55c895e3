/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"
#include "test/unit/settings.h"

#include "core/watch/secrets.h"

static struct settings *with(const char *name, const char *value)
{
    struct err err = { 0 };
    struct settings *s;

    for (int i = 0; i < SETTING_COUNT; i++)
        unsetenv(settings_name((enum setting)i));
    unsetenv("PGPASSWORD");
    setenv(name, value, 1);
    s = unit_settings("/dev/null", &err);
    assert_non_null(s);
    unsetenv(name);
    if (strcmp(name, "PGPASSWORD") == 0)
        setenv(name, value, 1);
    return s;
}

static void assert_hidden(const char *name, const char *value, const char *text, const char *expected)
{
    struct settings *s = with(name, value);
    struct buf out;

    buf_init(&out, 65536);
    secrets_hide(&out, text, s);
    assert_string_equal(out.data, expected);
    buf_release(&out);
    settings_free(s);
}

static void databases(void **state)
{
    static const char url[] = "postgresql://bob:sw%40rdfish@db.example.com:5432/shop";

    (void)state;
    assert_hidden("PRODUCTION_DATABASE_URL", url, "no sw%40rdfish or sw@rdfish for bob at db.example.com/shop",
                  "no *** or *** for bob at db.example.com/shop");
    assert_hidden("STAGING_DATABASE_URL", url, url, "postgresql://bob:***@db.example.com:5432/shop");
    assert_hidden("DATABASE_URL", "host=db password='my secret' dbname=shop", "shop: my secret!", "shop: ***!");
    assert_hidden("DATABASE_URL", "host=db password=hunter22 dbname=shop", "hunter22 hunter222", "*** ***2");
    assert_hidden("DATABASE_URL", "postgresql://db/shop?user=x&password=hunter22&a=b", "hunter22 db shop a=b",
                  "*** db shop a=b");
    assert_hidden("DATABASE_URL", "postgresql://db/shop", "postgresql://db/shop", "postgresql://db/shop");
    assert_hidden("PGPASSWORD", "swordfish", "sword swordfish", "sword ***");
}

static void webhooks(void **state)
{
    static const char url[] = "https://hooks.slack.com/services/T000/B000/XXXX%2F";

    (void)state;
    assert_hidden("SFB_SLACK_WEBHOOK_URL", url, "Cannot POST /services/T000/B000/XXXX%2F at hooks.slack.com",
                  "Cannot POST /*** at hooks.slack.com");
    assert_hidden("SFB_SLACK_WEBHOOK_URL", url, "Cannot POST /services/T000/B000/XXXX/", "Cannot POST /***");
    assert_hidden("SFB_WEBHOOK_URL", url, url, "***");
    assert_hidden("SFB_HEARTBEAT_URL", "https://hc-ping.com/2b7c2b4e-0a-0b", "2b7c2b4e-0a-0b", "***");
    assert_hidden("SFB_HEARTBEAT_START_URL", "none", "none of them", "none of them");
    assert_hidden("SFB_WEBHOOK_URL", "https://example.com/hook", "by hook", "by hook");
}

static void others(void **state)
{
    (void)state;
    assert_hidden("SFB_SMTP_PASSWORD", "a=b c", "535 a=b c", "535 ***");
    assert_hidden("SFB_SMTP_URL", "smtp://me:hunter22@mail.example.com", "me hunter22 mail.example.com",
                  "me *** mail.example.com");
    assert_hidden("SFB_WEBHOOK_SECRET", "0123456789", "0123456789", "***");
    assert_hidden("SFB_SMTP_PASSWORD", "abc", "abc", "abc"); /* hides nothing, and would make every text unreadable */
}

static void longest_first(void **state)
{
    struct settings *s = with("SFB_SMTP_PASSWORD", "hunter22-and-more");
    struct buf out;

    (void)state;
    setenv("PGPASSWORD", "hunter22", 1);
    buf_init(&out, 1024);
    secrets_hide(&out, "hunter22 hunter22-and-more hunter22-and", s);
    assert_string_equal(out.data, "*** *** ***-and");
    buf_release(&out);
    settings_free(s);
}

static void shown(void **state)
{
    static const struct {
        const char *name, *value, *shown;
        enum setting which;
    } cases[] = {
        { "SFB_SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T/B/X", "https://hooks.slack.com/***",
          SETTING_SLACK_WEBHOOK_URL },
        { "SFB_WEBHOOK_URL", "https://me:pw@example.com/x", "***", SETTING_WEBHOOK_URL },
        { "SFB_WEBHOOK_URL", "https://example.com?token=x", "https://example.com/***", SETTING_WEBHOOK_URL },
        { "SFB_SMTP_PASSWORD", "a=b", "***", SETTING_SMTP_PASSWORD },
        { "SFB_SMTP_URL", "smtp://me:pw@mail:587", "smtp://me:***@mail:587", SETTING_SMTP_URL },
        { "SFB_HEARTBEAT_URL", "", "", SETTING_HEARTBEAT_URL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct settings *s = with(cases[i].name, cases[i].value);
        struct buf out;

        buf_init(&out, 65536);
        settings_show(&out, s, cases[i].which);
        assert_string_equal(out.data, cases[i].shown);
        buf_release(&out);
        settings_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("a database's password is hidden however it was written, host and name are not", databases),
        PROMISE("the way to a webhook is hidden, its host is not", webhooks),
        PROMISE("so are the mail server's password and the webhook's key", others),
        PROMISE("a secret that is a part of another leaves nothing of it", longest_first),
        PROMISE("sfb config shows of a secret nothing but a URL's scheme and host", shown),
    };

    return RUN_PROMISES(tests);
}
