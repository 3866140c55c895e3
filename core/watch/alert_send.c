/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/alert_send.h"

#include <mbedtls/md.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/io/http.h"
#include "core/io/http_trouble.h"
#include "core/io/mail.h"
#include "core/watch/alert_channel.h"
#include "core/watch/secrets.h"

#define PAYLOAD_MAX ((size_t)256 * 1024)
#define TRY_SECONDS 10.0 /* for one try */
#define TRIES 4
#define FIRST_DELAY 0.5
#define ANSWER_SHOWN 80 /* characters of what a webhook answers */

struct sender {
    const struct settings *s;
    struct http *http; /* NULL until it is needed */
    double end;
    bool regardless;
    struct lane {
        unsigned tries;
        double not_before;
    } lanes[ALERT_CHANNELS];
};

/* How one try ended. */
enum verdict { SENT, REFUSED, AGAIN, HOPELESS }; /* REFUSED: this alert; HOPELESS: the channel, in this run */

/* ---- trouble in words ---------------------------------------------------------------------------------------------- */

/* http.c's hints are about S3. */
static void give_remedy(enum http_trouble t, const char *setting, struct err *err)
{
    switch (t) {
    case HTTP_NO_HOST:
        err_hint(err, "check the host in %s", setting);
        break;
    case HTTP_NO_DNS:
        err_hint(err, "check this host's network and name servers (/etc/resolv.conf)");
        break;
    case HTTP_REFUSED:
        err_hint(err, "nothing listens there: check host and port in %s", setting);
        break;
    case HTTP_UNREACHABLE:
    case HTTP_STALLED:
    case HTTP_SLOW:
        err_hint(err, "check this host's firewall and routes, and https_proxy if one is needed");
        break;
    case HTTP_TLS_HOST:
        err_hint(err, "use the name that the certificate is for in %s", setting);
        break;
    case HTTP_TLS_UNKNOWN:
        err_hint(err, "name a bundle with the authority's certificate in SSL_CERT_FILE");
        break;
    case HTTP_TRUST:
        err_hint(err, "SSL_CERT_FILE names a file of PEM certificates; unset it to use the host's");
        break;
    default:
        break;
    }
}

/* What a webhook answered, when it is a few plain words ("channel_is_archived"): pages that quote the URL are not. */
static bool is_telling(const char *body)
{
    size_t n = strcspn(body, "\r\n");

    if (n == 0 || n > ANSWER_SHOWN || body[n + strspn(body + n, "\r\n")])
        return false;
    for (size_t i = 0; i < n; i++)
        if (body[i] < ' ' || body[i] > '~' || strchr("/<>{}", body[i]))
            return false;
    return true;
}

/* A success that is none: what takes Slack's messages answers "ok" or a few words of its own, but no error's name as Slack has
 * them ("invalid_payload"), and no page, as a proxy that wants somebody to log in does. */
static bool is_denial(const char *body)
{
    size_t n = strspn(body, "abcdefghijklmnopqrstuvwxyz_"), blank = strspn(body, " \t\r\n");

    if (n > 0 && memchr(body, '_', n) && !body[n + strspn(body + n, "\r\n")])
        return true;
    return strncasecmp(body + blank, "<!doctype html", 14) == 0 || strncasecmp(body + blank, "<html", 5) == 0;
}

static enum verdict judge_status(const struct settings *s, const struct http_response *a, const char *url,
                                 enum setting which, struct err *err)
{
    char host[256];
    struct buf said;

    if (a->status >= 200 && a->status < 300 && !(which == SETTING_SLACK_WEBHOOK_URL && is_denial(a->body.data)))
        return SENT;
    buf_init(&said, 1024);
    if (is_telling(a->body.data)) {
        buf_puts(&said, ": ");
        secrets_hide(&said, a->body.data, s);
        buf_cut(&said, strcspn(said.data, "\r\n"));
    }
    http_trouble_host(host, url);
    err_set(err, ERR_STORE, "%s answers %d%s", host, a->status, said.data);
    buf_release(&said);
    if (a->status == 408 || a->status == 429 || a->status >= 500)
        return AGAIN;
    if (a->status >= 300 && a->status < 400)
        err_hint(err, "it has moved: set %s to its new URL", settings_name(which));
    else
        err_hint(err, "is %s still the URL that the service shows?", settings_name(which));
    return REFUSED;
}

/* Seconds; -1: it says none. A date is what services of this kind don't send. */
static double retry_after(const struct http_response *a)
{
    const char *value = http_header(a, "retry-after");
    int seconds;

    return value && text_parse_int(value, 0, 86400, &seconds) ? seconds : -1;
}

/* ---- one try ------------------------------------------------------------------------------------------------------- */

static unsigned seconds_left(const struct sender *x)
{
    double left = x->end - clock_monotonic();

    left = left < TRY_SECONDS ? left : TRY_SECONDS;
    return left > 1 ? (unsigned)left : 1;
}

static enum verdict ask(struct sender *x, const struct http_request *request, enum setting which, double *wait,
                        struct err *err)
{
    struct http_request q = *request;
    struct http_response a = { 0 };
    enum verdict verdict = HOPELESS;

    if (!x->http && !(x->http = http_new(&(struct http_params){ 0 }, err)))
        return HOPELESS;
    q.total_seconds = q.connect_seconds = q.stall_seconds = seconds_left(x);
    q.regardless = x->regardless;
    if (http_send(x->http, &q, &a, err) < 0) {
        give_remedy(a.trouble, settings_name(which), err);
        verdict = http_is_passing(a.trouble) ? AGAIN : HOPELESS;
    } else {
        verdict = judge_status(x->s, &a, q.url, which, err);
        *wait = retry_after(&a);
    }
    http_response_release(&a);
    return verdict;
}

static int sign(char header[128], const char *secret, const struct buf *body, struct err *err)
{
    unsigned char mac[32];
    char hex[65];

    if (mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)secret, strlen(secret),
                        (const unsigned char *)body->data, body->size, mac) != 0)
        return err_set(err, ERR_INTERNAL, "the webhook's JSON can't be signed");
    snprintf(header, 128, "X-Sfb-Signature-256: sha256=%s", text_hex(hex, mac, sizeof mac));
    return 0;
}

static enum verdict post(struct sender *x, const struct alert_delivery *d, double *wait, struct err *err)
{
    enum setting which = alert_channel_setting(d->channel);
    const char *secret = settings_get(x->s, SETTING_WEBHOOK_SECRET);
    const char *headers[3] = { "Content-Type: application/json" };
    struct http_request q = { .method = "POST", .url = settings_get(x->s, which), .headers = headers };
    enum verdict verdict = HOPELESS;
    char signature[128];
    struct buf body;
    bool blocks;

    buf_init(&body, PAYLOAD_MAX);
    if (d->channel == ALERT_SLACK) {
        if (alert_channel_blocks(x->s, &blocks, err) < 0 || alert_slack(&body, d->alert, blocks, err) < 0)
            goto out;
    } else {
        if (alert_json(&body, d->alert, err) < 0 || (*secret && sign(signature, secret, &body, err) < 0))
            goto out;
        headers[1] = *secret ? signature : NULL;
    }
    q.body = body.data;
    q.body_size = body.size;
    verdict = ask(x, &q, which, wait, err);
out:
    buf_release(&body);
    return verdict;
}

static const char *or_none(const char *text)
{
    return *text ? text : NULL;
}

/* One that went to some of its addresses went; err then says which it did not go to. */
static enum verdict mail(struct sender *x, const struct alert_delivery *d, struct err *err)
{
    struct buf from, subject, text, html;
    struct mail m = { .to = settings_get(x->s, SETTING_ALERT_TO), .id = d->alert->id, .date = d->alert->time };
    struct mail_params p = { .url = settings_get(x->s, SETTING_SMTP_URL),
                             .user = or_none(settings_get(x->s, SETTING_SMTP_USER)),
                             .password = or_none(settings_get(x->s, SETTING_SMTP_PASSWORD)),
                             .total_seconds = seconds_left(x),
                             .regardless = x->regardless };
    enum verdict verdict = HOPELESS;
    struct mail_answer a;

    buf_init(&from, 4096);
    buf_init(&subject, PAYLOAD_MAX);
    buf_init(&text, PAYLOAD_MAX);
    buf_init(&html, PAYLOAD_MAX);
    alert_channel_sender(&from, x->s);
    alert_subject(&subject, d->alert);
    alert_plain(&text, d->alert);
    alert_html(&html, d->alert);
    if (alert_channel_tls(x->s, &p.tls, err) < 0 || buf_check(&from, err) < 0 || buf_check(&subject, err) < 0 ||
        buf_check(&text, err) < 0 || buf_check(&html, err) < 0)
        goto out;
    m.from = from.data;
    m.subject = subject.data;
    m.text = text.data;
    m.html = html.data;
    if (mail_send(&p, &m, &a, err) == 0) {
        verdict = SENT;
        if (a.refused[0])
            snprintf(err->message, sizeof err->message, "not to %s", a.refused);
    } else {
        give_remedy(a.trouble, "SFB_SMTP_URL", err);
        verdict = a.passing ? AGAIN : a.trouble == HTTP_FINE && a.code >= 500 ? REFUSED : HOPELESS;
    }
out:
    buf_release(&from);
    buf_release(&subject);
    buf_release(&text);
    buf_release(&html);
    return verdict;
}

static enum verdict try_one(struct sender *x, struct alert_delivery *d, double *wait)
{
    struct http_request beat = { .method = "GET", .url = d->url };

    *wait = -1;
    err_clear(&d->err);
    if (alert_channel_check(x->s, d->channel, &d->err) < 0)
        return HOPELESS;
    switch (d->channel) {
    case ALERT_MAIL:
        return mail(x, d, &d->err);
    case ALERT_HEARTBEAT:
        return ask(x, &beat, SETTING_HEARTBEAT_URL, wait, &d->err);
    default:
        return post(x, d, wait, &d->err);
    }
}

/* ---- all of them --------------------------------------------------------------------------------------------------- */

static bool stopped(const struct sender *x)
{
    return !x->regardless && os_interrupted();
}

static struct alert_delivery *next_of(struct alert_delivery *list, size_t n, unsigned channel)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].channel == (enum alert_channel)channel && !list[i].done)
            return &list[i];
    return NULL;
}

/* The channel's others fail as this one did. */
static void give_up(struct alert_delivery *list, size_t n, const struct alert_delivery *because)
{
    struct err err = because->err;

    for (size_t i = 0; i < n; i++) {
        if (list[i].channel != because->channel || list[i].done)
            continue;
        list[i].done = true;
        list[i].err = err;
    }
}

static void have_turn(struct sender *x, struct alert_delivery *list, size_t n, struct alert_delivery *d)
{
    struct lane *lane = &x->lanes[d->channel];
    double wait;

    switch (try_one(x, d, &wait)) {
    case SENT:
        d->done = d->delivered = true;
        lane->tries = 0;
        break;
    case REFUSED:
        d->done = true;
        break;
    case AGAIN:
        if (wait < 0)
            wait = FIRST_DELAY * (1U << lane->tries);
        lane->tries++;
        lane->not_before = clock_monotonic() + wait;
        if (lane->tries == TRIES || lane->not_before >= x->end)
            give_up(list, n, d);
        break;
    case HOPELESS:
        give_up(list, n, d);
        break;
    }
}

static bool is_open(struct alert_delivery *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!list[i].done)
            return true;
    return false;
}

/* Until the first lane may go on, or the time is over. */
static void wait_for_turn(const struct sender *x, struct alert_delivery *list, size_t n)
{
    double until = x->end, left;

    for (unsigned channel = 0; channel < ALERT_CHANNELS; channel++)
        if (next_of(list, n, channel) && x->lanes[channel].not_before < until)
            until = x->lanes[channel].not_before;
    left = until - clock_monotonic();
    if (is_open(list, n) && left > 0)
        poll(NULL, 0, left < 0.1 ? (int)(left * 1000) + 1 : 100);
}

void alert_send(const struct settings *s, struct alert_delivery *list, size_t n, double seconds, bool regardless)
{
    struct sender x = { .s = s, .end = clock_monotonic() + seconds, .regardless = regardless };

    while (is_open(list, n) && clock_monotonic() < x.end && !stopped(&x)) {
        for (unsigned channel = 0; channel < ALERT_CHANNELS; channel++) {
            struct alert_delivery *d = next_of(list, n, channel);

            if (d && clock_monotonic() >= x.lanes[channel].not_before && clock_monotonic() < x.end && !stopped(&x))
                have_turn(&x, list, n, d);
        }
        wait_for_turn(&x, list, n);
    }
    for (size_t i = 0; i < n; i++) {
        if (!list[i].done && list[i].err.class == ERR_NONE)
            err_set(&list[i].err, ERR_STORE, "there was no time left for it");
        list[i].done = true;
    }
    http_free(x.http);
}
