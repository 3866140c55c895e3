/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/alert_channel.h"

#include <string.h>
#include <strings.h>

#include "core/base/os.h"
#include "core/io/http.h"
#include "core/io/http_trouble.h"
#include "core/io/mail_text.h"
#include "core/watch/alert_heartbeat.h"

static const struct {
    const char *name;
    enum setting url;
} channels[ALERT_CHANNELS] = {
    [ALERT_SLACK] = { "Slack", SETTING_SLACK_WEBHOOK_URL },
    [ALERT_MAIL] = { "mail", SETTING_SMTP_URL },
    [ALERT_WEBHOOK] = { "webhook", SETTING_WEBHOOK_URL },
    [ALERT_HEARTBEAT] = { "heartbeat", SETTING_HEARTBEAT_URL },
};

const char *alert_channel_name(enum alert_channel channel)
{
    return channels[channel].name;
}

enum setting alert_channel_setting(enum alert_channel channel)
{
    return channels[channel].url;
}

bool alert_channel_configured(const struct settings *s, enum alert_channel channel)
{
    return *settings_get(s, channels[channel].url);
}

unsigned alert_channel_all(const struct settings *s)
{
    unsigned all = 0;

    for (unsigned channel = 0; channel < ALERT_HEARTBEAT; channel++)
        if (alert_channel_configured(s, (enum alert_channel)channel))
            all |= 1U << channel;
    return all;
}

const char *alert_channel_where(char out[256], const struct settings *s, enum alert_channel channel)
{
    return http_trouble_host(out, settings_get(s, channels[channel].url));
}

static int check_webhook(const struct settings *s, enum setting which, struct err *err)
{
    const char *url = settings_get(s, which), *name = settings_name(which);
    char host[256];

    if (!*url || strcmp(url, "none") == 0)
        return 0;
    if ((strncasecmp(url, "https://", 8) != 0 && !http_is_plain(url)) || !http_trouble_host(host, url)[0]) {
        err_set(err, ERR_CONFIG, "%s is no URL of a webhook", name);
        err_hint(err, "write https://HOST/PATH, all of it as the service shows it");
        return -1;
    }
    if (http_is_plain(url) && !http_is_loopback(url)) {
        err_set(err, ERR_CONFIG, "%s: %s would be spoken to without encryption", name, host);
        err_hint(err, "use https://; who reads the URL on the way can use it; http:// is for this host itself");
        return -1;
    }
    return 0;
}

static bool to_itself(const char *url)
{
    return http_is_loopback(url) && strncasecmp(url, "smtps://", 8) != 0;
}

int alert_channel_tls(const struct settings *s, enum mail_tls *tls, struct err *err)
{
    const char *word = settings_get(s, SETTING_SMTP_TLS);

    if (!*word)
        *tls = to_itself(settings_get(s, SETTING_SMTP_URL)) ? MAIL_TLS_NONE : MAIL_TLS_REQUIRED;
    else if (strcmp(word, "require") == 0)
        *tls = MAIL_TLS_REQUIRED;
    else if (strcmp(word, "try") == 0)
        *tls = MAIL_TLS_TRIED;
    else if (strcmp(word, "none") == 0)
        *tls = MAIL_TLS_NONE;
    else
        return err_set(err, ERR_CONFIG, "SFB_SMTP_TLS is \"%s\"; it must be require, try or none", word);
    return 0;
}

/* SFB_ALERT_FROM, else who logs in, else this host. */
void alert_channel_sender(struct buf *out, const struct settings *s)
{
    const char *from = settings_get(s, SETTING_ALERT_FROM), *user = settings_get(s, SETTING_SMTP_USER);

    if (*from)
        buf_puts(out, from);
    else if (strchr(user, '@'))
        buf_puts(out, user);
    else
        buf_printf(out, "sfb@%s", os_hostname());
}

static int check_addresses(const char *name, const char *text, size_t at_most, struct err *err)
{
    struct mail_address *list = NULL;
    size_t n = 0;

    if (mail_addresses(text, &list, &n, err) < 0) {
        err_context(err, "%s", name);
        return -1;
    }
    mail_addresses_free(list, n);
    return n <= at_most ? 0 : err_set(err, ERR_CONFIG, "%s: a mail has one sender, not %zu", name, n);
}

static int check_mail(const struct settings *s, struct err *err)
{
    enum mail_tls tls;
    struct buf from;
    int rc = -1;

    if (!*settings_get(s, SETTING_SMTP_URL))
        return 0;
    buf_init(&from, 4096);
    if (mail_check_url(settings_get(s, SETTING_SMTP_URL), err) < 0) {
        err_context(err, "SFB_SMTP_URL");
        goto out;
    }
    if (!*settings_get(s, SETTING_ALERT_TO)) {
        err_set(err, ERR_CONFIG, "SFB_SMTP_URL is set, but SFB_ALERT_TO is not: nobody gets the mails");
        err_hint(err, "set SFB_ALERT_TO=ops@example.com; several are separated by commas");
        goto out;
    }
    alert_channel_sender(&from, s);
    if (buf_check(&from, err) < 0 || alert_channel_tls(s, &tls, err) < 0 ||
        check_addresses("SFB_ALERT_FROM", from.data, 1, err) < 0 ||
        check_addresses("SFB_ALERT_TO", settings_get(s, SETTING_ALERT_TO), SIZE_MAX, err) < 0)
        goto out;
    rc = 0;
out:
    buf_release(&from);
    return rc;
}

int alert_channel_blocks(const struct settings *s, bool *blocks, struct err *err)
{
    const char *format = settings_get(s, SETTING_SLACK_FORMAT);

    *blocks = strcmp(format, "text") != 0;
    if (!*blocks || strcmp(format, "blocks") == 0)
        return 0;
    return err_set(err, ERR_CONFIG, "SFB_SLACK_FORMAT is \"%s\"; it must be blocks or text", format);
}

int alert_channel_check(const struct settings *s, enum alert_channel channel, struct err *err)
{
    bool blocks;

    switch (channel) {
    case ALERT_SLACK:
        return check_webhook(s, SETTING_SLACK_WEBHOOK_URL, err) < 0 ? -1 : alert_channel_blocks(s, &blocks, err);
    case ALERT_MAIL:
        return check_mail(s, err);
    case ALERT_WEBHOOK:
        return check_webhook(s, SETTING_WEBHOOK_URL, err);
    default:
        if (check_webhook(s, SETTING_HEARTBEAT_URL, err) < 0 || check_webhook(s, SETTING_HEARTBEAT_START_URL, err) < 0)
            return -1;
        return check_webhook(s, SETTING_HEARTBEAT_FAIL_URL, err);
    }
}

int alert_check(const struct settings *s, struct err *err)
{
    for (int channel = 0; channel < ALERT_CHANNELS; channel++)
        if (alert_channel_check(s, (enum alert_channel)channel, err) < 0)
            return -1;
    return alert_heartbeat_check(s, err);
}
