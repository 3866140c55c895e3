/* SPDX-License-Identifier: PostgreSQL */
/* s3_call.c - one request: signed, sent, and tried again where that can help. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/store/s3_impl.h"

#define MAX_HEADERS 24
#define MAX_URL 8192
#define MAX_LINES (64 * 1024)
#define CLEANUP_TIME 15 /* seconds for requests that tidy up after a signal */
#define LAST_DELAY 0.2
#define DAMAGED_TRIES 4 /* a body that arrives damaged again and again is damaged here */

/* ---- one try ------------------------------------------------------------------------------------------------- */

/* A request that is being put together. */
struct draft {
    struct buf url, host, path, lines, authorization;
    struct sigv4_header headers[MAX_HEADERS];
    size_t n;
    const char *list[MAX_HEADERS + 2];
    char region[64], date[SIGV4_DATE], hash[65], md5[32];
    time_t now; /* asked once: the date that is sent must be the date that is signed */
};

static void draft_init(struct draft *d)
{
    buf_init(&d->url, MAX_URL);
    buf_init(&d->host, MAX_URL);
    buf_init(&d->path, MAX_URL);
    buf_init(&d->lines, MAX_LINES);
    buf_init(&d->authorization, 4096);
    d->n = 0;
}

static void draft_release(struct draft *d)
{
    buf_release(&d->url);
    buf_release(&d->host);
    buf_release(&d->path);
    if (d->lines.size > 0)
        text_wipe(d->lines.data, d->lines.size); /* the session token */
    buf_release(&d->lines);
    buf_release(&d->authorization);
}

static void add(struct draft *d, const char *name, const char *value)
{
    d->headers[d->n].name = name;
    d->headers[d->n++].value = value;
}

static void base64(char *out, const uint8_t *in, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = 0;

    for (size_t i = 0; i < n; i += 3) {
        uint32_t three = (uint32_t)in[i] << 16 | (i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0) |
                         (i + 2 < n ? in[i + 2] : 0);

        out[at++] = digits[three >> 18];
        out[at++] = digits[three >> 12 & 63];
        out[at++] = i + 1 < n ? digits[three >> 6 & 63] : '=';
        out[at++] = i + 2 < n ? digits[three & 63] : '=';
    }
    out[at] = '\0';
}

/* What stands for the body in the signature, and Content-MD5, so that the server looks too. */
static int add_sums(const struct s3 *s, struct draft *d, const struct s3_call *c, struct err *err)
{
    struct digest_sum own;
    const struct digest_sum *sum = c->sum;
    struct digest *digest;

    if (!sum) {
        digest = digest_new(DIGEST_MD5 | DIGEST_SHA256);
        if (!digest)
            return err_no_memory(err);
        digest_put(digest, c->body, (size_t)c->body_size);
        digest_end(digest, &own);
        digest_free(digest);
        sum = &own;
    }
    if (c->sum && c->body_size > 0 && !s3_signs_bodies(s))
        snprintf(d->hash, sizeof d->hash, SIGV4_UNSIGNED);
    else
        text_hex(d->hash, sum->sha256, sizeof sum->sha256);
    add(d, "x-amz-content-sha256", d->hash);
    if (c->body_size > 0) {
        base64(d->md5, sum->md5, sizeof sum->md5);
        add(d, "Content-MD5", d->md5);
    }
    return 0;
}

static int sign(struct draft *d, const struct s3_call *c, const struct aws_key *key, struct err *err)
{
    struct sigv4_request r = {
        .method = c->method,
        .path = d->path.data,
        .query = c->query,
        .headers = d->headers,
        .n_headers = d->n,
        .payload_hash = d->hash,
        .region = d->region,
        .service = "s3",
        .now = d->now,
    };
    struct sigv4_key k = { .id = key->id, .secret = key->secret, .token = key->token };

    return sigv4_authorization(&r, &k, &d->authorization, err);
}

/* "Name: value" lines of all headers, one after the other with a NUL between; Host is libcurl's to send. */
static int write_lines(struct draft *d, struct err *err)
{
    size_t at = 0, n = 0;

    for (size_t i = 0; i < d->n; i++) {
        if (strcmp(d->headers[i].name, "host") == 0)
            continue;
        buf_printf(&d->lines, "%s: %s", d->headers[i].name, d->headers[i].value);
        buf_putc(&d->lines, '\0');
    }
    buf_printf(&d->lines, "Authorization: %s", d->authorization.data);
    if (buf_check(&d->lines, err) < 0)
        return -1;
    while (at <= d->lines.size) {
        d->list[n++] = d->lines.data + at;
        at += strlen(d->lines.data + at) + 1;
    }
    d->list[n] = NULL;
    return 0;
}

static int draft_write(struct s3 *s, struct draft *d, const struct s3_call *c, const char *endpoint,
                       const struct aws_key *key, struct err *err)
{
    if (s3_address(s, endpoint, c->key, &d->url, &d->host, &d->path, d->region, err) < 0)
        return -1;
    d->now = s3_now(s);
    add(d, "host", d->host.data);
    add(d, "x-amz-date", sigv4_date(d->date, d->now));
    if (key->token && *key->token)
        add(d, "x-amz-security-token", key->token);
    if (add_sums(s, d, c, err) < 0)
        return -1;
    if (d->n + c->n_headers > MAX_HEADERS)
        return err_set(err, ERR_INTERNAL, "too many headers");
    for (size_t i = 0; i < c->n_headers; i++)
        add(d, c->headers[i].name, c->headers[i].value);
    if (sign(d, c, key, err) < 0 || write_lines(d, err) < 0)
        return -1;
    if (c->query)
        buf_printf(&d->url, "?%s", c->query);
    return buf_check(&d->url, err);
}

static int send_draft(struct s3 *s, const struct draft *d, const struct s3_call *c, struct s3_answer *a,
                      struct err *err)
{
    struct http_request q = {
        .method = c->method,
        .url = d->url.data,
        .headers = d->list,
        .body = c->body,
        .body_size = c->body_size,
        .fd = c->fd,
        .offset = c->offset,
        .sink = c->sink,
        .cookie = c->cookie,
        .max_body = c->max_body,
        .stall_seconds = c->stall_seconds,
        .cancel = c->cancel,
        .fresh = c->fresh,
        .regardless = c->regardless,
        .total_seconds = c->regardless ? CLEANUP_TIME : 0,
    };
    struct http *h = s3_client_take(s, err);
    int rc = -1;

    if (!h) {
        a->http.trouble = HTTP_OWN;
        return -1;
    }
    pthread_mutex_lock(&s->lock);
    q.expect = !s->proven && c->body_size > 1024 * 1024;
    pthread_mutex_unlock(&s->lock);
    rc = http_send(h, &q, &a->http, err);
    s3_client_give(s, h);
    log_debug("%s %s: %d", q.method, q.url, a->http.status);
    return rc;
}

static void note_success(struct s3 *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->warned)
        log_debug("%s answers again", s->endpoint);
    s->proven = true;
    s->warned = false;
    pthread_mutex_unlock(&s->lock);
}

/* Context for trouble below S3: what could not be done with what. */
static void add_context(const struct s3 *s, const struct s3_call *c, struct err *err)
{
    if (err->class == ERR_SIGNAL || err->class == ERR_CONFIG)
        return;
    err_context(err, "can't %s s3://%s%s%s", c->what, s->bucket, c->key ? "/" : "", c->key ? c->key : "");
    if (err->class == ERR_STORE)
        err_reclass(err, c->class);
}

int s3_try(struct s3 *s, const struct s3_call *c, const char *endpoint, struct s3_answer *a, struct err *err)
{
    struct aws_key key = { 0 };
    struct draft d;
    int rc = -1;

    s3_answer_release(a);
    memset(a, 0, sizeof *a);
    a->http.trouble = HTTP_OWN;
    draft_init(&d);
    if (awscreds_get(s->creds, &key, err) < 0) {
        if (strcmp(err->code, AWSCREDS_LATER) == 0)
            a->http.trouble = HTTP_UNREACHABLE;
        goto out;
    }
    if (draft_write(s, &d, c, endpoint, &key, err) < 0)
        goto out;
    memcpy(a->signed_for, d.region, sizeof a->signed_for);
    if (send_draft(s, &d, c, a, err) < 0) {
        add_context(s, c, err);
        goto out;
    }
    s3_error_read(s, c, a);
    if (a->http.status >= 200 && a->http.status < 300 && !a->code[0]) {
        note_success(s);
        rc = 0;
        goto out;
    }
    if (s3_retry_verdict(a) == S3_RENEW && !awscreds_expired(s->creds, &key))
        memcpy(a->code, "InvalidToken", sizeof "InvalidToken"); /* fixed keys: nothing to renew */
    s3_error_explain(s, c, a, err);
out:
    aws_key_release(&key);
    draft_release(&d);
    return rc;
}

/* ---- and again ----------------------------------------------------------------------------------------------- */

static double random_fraction(void)
{
    uint32_t n = 0;

    (void)os_random(&n, sizeof n, NULL);
    return n / 4294967296.0;
}

static int wait_for(double seconds, const struct s3_call *c, struct err *err)
{
    double end = clock_monotonic() + seconds, left;

    while ((left = end - clock_monotonic()) > 0) {
        if (c->cancel && atomic_load(c->cancel))
            return -1; /* err still says what went wrong first */
        if (!c->regardless && os_interrupted()) {
            err_clear(err);
            return os_check_interrupt(err);
        }
        poll(NULL, 0, left < 0.1 ? (int)(left * 1000) + 1 : 100);
    }
    return 0;
}

/* Once for each bad time: not for each try, and not for each of the requests that it meets. */
static void warn(struct s3 *s, const struct s3_trouble *t, const struct err *err, unsigned budget)
{
    char duration[TEXT_SHORT];
    bool first;

    pthread_mutex_lock(&s->lock);
    first = !s->warned && t->tries == 1;
    s->warned = true;
    pthread_mutex_unlock(&s->lock);
    if (first)
        log_warn("%s; trying again for up to %s", err->message, text_duration(duration, budget));
    else
        log_debug("%s; trying again", err->message);
}

static unsigned budget_of(const struct s3 *s, const struct s3_call *c)
{
    if (c->once || s->params.no_retry)
        return 0;
    if (c->regardless)
        return CLEANUP_TIME;
    return s->params.retry_seconds;
}

static bool is_damage(const char *code)
{
    return strcmp(code, "BadDigest") == 0 || strcmp(code, "XAmzContentSHA256Mismatch") == 0 ||
           strcmp(code, "IncompleteBody") == 0;
}

static int wait_again(struct s3 *s, const struct s3_call *c, struct s3_trouble *t, const struct s3_answer *a,
                      struct err *err)
{
    double now = clock_monotonic(), asked = s3_retry_after(http_header(&a->http, "retry-after"), a->http.date), delay,
           left;
    unsigned budget = budget_of(s, c);
    char duration[TEXT_SHORT];

    if (t->tries++ == 0)
        t->since = now;
    left = t->since + budget - now;
    delay = s3_retry_delay(t->tries, random_fraction(), asked);
    if (asked < 0 && delay > left && left > LAST_DELAY)
        delay = left; /* a last try when the time is over */
    if (is_damage(a->code) && t->tries >= DAMAGED_TRIES)
        return -1;
    if (delay > left) {
        if (t->tries > 1)
            err_context(err, "gave up after %u tries in %s", t->tries, text_duration(duration, now - t->since));
        return -1;
    }
    if (!c->regardless)
        warn(s, t, err, budget);
    if (wait_for(delay, c, err) < 0)
        return -1;
    err_clear(err);
    return 0;
}

/* "https://host" of a Location, if that is somebody else than we asked, and it may be asked. */
static bool redirected(const struct s3 *s, const struct s3_answer *a, char out[S3_TEXT])
{
    const char *host = strstr(a->location, "://");

    if (!host || (http_is_plain(a->location) && !http_is_plain(s->endpoint)))
        return false;
    host += 3;
    snprintf(out, S3_TEXT, "%.*s", (int)(host - a->location + (ptrdiff_t)strcspn(host, "/?")), a->location);
    return strcmp(out, s->endpoint) != 0;
}

static int move(struct s3 *s, struct s3_trouble *t, const struct s3_answer *a, struct err *err)
{
    bool again = false;

    if (t->moved)
        return -1;
    t->moved = true;
    if (a->region[0] &&
        strcmp(a->region, a->signed_for) != 0) { /* also when another request has learned it meanwhile */
        if (s3_set_region(s, a->region))
            log_debug("the bucket %s is in region %s", s->bucket, a->region);
        again = true;
    }
    if (redirected(s, a, t->redirect)) {
        log_debug("redirected to %s", t->redirect);
        again = true;
    }
    if (again)
        err_clear(err);
    return again ? 0 : -1;
}

int s3_again(struct s3 *s, const struct s3_call *c, struct s3_trouble *t, const struct s3_answer *a, struct err *err)
{
    switch (s3_retry_verdict(a)) {
    case S3_AGAIN:
        return wait_again(s, c, t, a, err);
    case S3_MOVE:
        return move(s, t, a, err);
    case S3_RENEW:
        if (t->renewed || strcmp(a->code, "InvalidToken") == 0)
            return -1;
        t->renewed = true;
        err_clear(err);
        return 0;
    default:
        return -1;
    }
}

int s3_call(struct s3 *s, const struct s3_call *c, struct s3_answer *a, struct err *err)
{
    struct s3_trouble trouble = { 0 };

    for (;;) {
        if (s3_try(s, c, trouble.redirect[0] ? trouble.redirect : NULL, a, err) == 0)
            return 0;
        if (s3_again(s, c, &trouble, a, err) < 0)
            return -1;
    }
}

void s3_answer_release(struct s3_answer *a)
{
    http_response_release(&a->http);
}

bool s3_may_have_worked(const struct s3_answer *a)
{
    return a->http.trouble != HTTP_FINE || (a->http.status >= 500 && a->http.status != 501);
}

bool s3_is_denied(const struct s3_answer *a)
{
    return a->http.trouble == HTTP_FINE && a->http.status == 403;
}

bool s3_is_missing(const struct s3_answer *a)
{
    return a->http.trouble == HTTP_FINE && a->http.status == 404 && strcmp(a->code, "NoSuchBucket") != 0;
}
