/* SPDX-License-Identifier: PostgreSQL */
/* awscreds_sts.c - roles: AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/io/http_trouble.h"
#include "core/store/awscreds_impl.h"
#include "core/store/xml.h"

#define MAX_FORM (64 * 1024)
#define MAX_ANSWER (256 * 1024)
#define TRIES 4

/* ---- the call ------------------------------------------------------------------------------------------------ */

struct sts_call {
    struct buf url, host, form, lines, authorization;
    char date[SIGV4_DATE], hash[65], region[64];
    const char *list[6];
};

static void call_init(struct sts_call *s)
{
    memset(s, 0, sizeof *s);
    buf_init(&s->url, 1024);
    buf_init(&s->host, 512);
    buf_init(&s->form, MAX_FORM);
    buf_init(&s->lines, MAX_FORM);
    buf_init(&s->authorization, 2048);
}

static void call_release(struct sts_call *s)
{
    text_wipe(s->form.data, s->form.size);
    text_wipe(s->lines.data, s->lines.size);
    buf_release(&s->url);
    buf_release(&s->host);
    buf_release(&s->form);
    buf_release(&s->lines);
    buf_release(&s->authorization);
}

/* How many of the host's n bytes name a port that needs no name: the Host header is sent without, and it is signed. */
static size_t default_port(const char *url, const char *host, size_t n)
{
    const char *port = http_is_plain(url) ? ":80" : ":443";
    size_t port_n = strlen(port);

    return n > port_n && memcmp(host + n - port_n, port, port_n) == 0 ? port_n : 0;
}

static int set_endpoint(struct awscreds *c, struct sts_call *s, struct err *err)
{
    const char *named = awsconf_sts_endpoint(c->p.conf, NULL), *scheme;
    size_t n;

    snprintf(s->region, sizeof s->region, "%.63s", c->region ? c->region : "us-east-1");
    if (named) {
        scheme = strstr(named, "://");
        if (!scheme)
            return err_set(err, ERR_CONFIG, "not an endpoint for STS: %s", named);
        n = strcspn(scheme + 3, "/?#");
        buf_printf(&s->url, "%.*s/", (int)((size_t)(scheme + 3 - named) + n), named);
        buf_printf(&s->host, "%.*s", (int)(n - default_port(named, scheme + 3, n)), scheme + 3);
    } else {
        buf_printf(&s->host, "sts%s%s.amazonaws.com%s", c->region ? "." : "", c->region ? c->region : "",
                   text_starts(s->region, "cn-") ? ".cn" : "");
        buf_printf(&s->url, "https://%s/", s->host.data);
    }
    return buf_check(&s->url, err) < 0 || buf_check(&s->host, err) < 0 ? -1 : 0;
}

static void add_field(struct sts_call *s, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    buf_printf(&s->form, "%s%s=", s->form.size > 0 ? "&" : "", name);
    sigv4_encode(&s->form, value, false);
}

static void add_line(struct sts_call *s, const char *name, const char *value)
{
    buf_printf(&s->lines, "%s: %s", name, value);
    buf_putc(&s->lines, '\0');
}

static int sign(struct awscreds *c, struct sts_call *s, const struct aws_key *key, struct err *err)
{
    time_t now = awscreds_now(c);
    struct sigv4_header headers[4] = {
        { "content-type", "application/x-www-form-urlencoded" },
        { "host", s->host.data },
        { "x-amz-date", sigv4_date(s->date, now) },
        { "x-amz-security-token", key->token },
    };
    struct sigv4_request r = {
        .method = "POST",
        .path = "/",
        .headers = headers,
        .n_headers = key->token ? 4 : 3,
        .payload_hash = s->hash,
        .region = s->region,
        .service = "sts",
        .now = now,
    };
    struct sigv4_key k = { .id = key->id, .secret = key->secret, .token = key->token };

    sigv4_sha256_hex(s->hash, s->form.data, s->form.size);
    if (sigv4_authorization(&r, &k, &s->authorization, err) < 0)
        return -1;
    add_line(s, "X-Amz-Date", s->date);
    if (key->token)
        add_line(s, "X-Amz-Security-Token", key->token);
    add_line(s, "Authorization", s->authorization.data);
    return 0;
}

/* key NULL: web identity is not signed, its token is the proof. */
static int put_together(struct awscreds *c, struct sts_call *s, const struct aws_key *key, struct err *err)
{
    size_t n = 0;

    add_line(s, "Content-Type", "application/x-www-form-urlencoded");
    if (buf_check(&s->form, err) < 0 || (key && sign(c, s, key, err) < 0) || buf_check(&s->lines, err) < 0)
        return -1;
    for (const char *at = s->lines.data; at < s->lines.data + s->lines.size; at += strlen(at) + 1)
        s->list[n++] = at;
    s->list[n] = NULL;
    return 0;
}

static bool is_passing(int rc, const struct http_response *a)
{
    if (rc < 0)
        return http_is_passing(a->trouble);
    return a->status >= 500 || a->status == 429 || strstr(a->body.data, "IDPCommunicationError") ||
           strstr(a->body.data, "Throttling");
}

static int explain(const struct sts_call *s, const struct http_response *a, const char *what, struct err *err)
{
    struct buf code, message, visible;
    char host[256];

    buf_init(&code, 128);
    buf_init(&message, 1024);
    buf_init(&visible, 1024);
    xml_find(a->body.data, a->body.size, "Error/Code", &code);
    xml_find(a->body.data, a->body.size, "Error/Message", &message);
    text_visible(&visible, message.data);
    err_set(err, is_passing(0, a) ? ERR_STORE : ERR_CONFIG, "%s: STS at %s says %s (%d)%s%s", what,
            http_trouble_host(host, s->url.data), code.size > 0 ? code.data : "no", a->status,
            visible.size > 0 ? ": " : "", visible.data);
    if (strcmp(code.data, "AccessDenied") == 0)
        err_hint(err, "the role's trust policy must name this identity, or this token's issuer and subject");
    else if (strcmp(code.data, "ExpiredTokenException") == 0 || strcmp(code.data, "ExpiredToken") == 0)
        err_hint(err, "what proves this identity has itself ended: get new credentials, or a new token file");
    else if (strcmp(code.data, "RequestTimeTooSkewed") == 0 || strcmp(code.data, "SignatureDoesNotMatch") == 0)
        err_hint(err, "check the secret access key, and this host's clock");
    buf_release(&code);
    buf_release(&message);
    buf_release(&visible);
    return -1;
}

static int ask(struct awscreds *c, const struct sts_call *s, const char *what, struct http_response *a, struct err *err)
{
    struct http_request q = {
        .method = "POST",
        .url = s->url.data,
        .headers = s->list,
        .body = s->form.data,
        .body_size = s->form.size,
        .max_body = MAX_ANSWER,
        .total_seconds = 30,
    };
    struct http *h = http_new(&c->p.http, err);
    int rc = -1;

    for (int i = 0; h && i < TRIES; i++) {
        if (i > 0)
            poll(NULL, 0, 250 << i);
        err_clear(err);
        rc = http_send(h, &q, a, err);
        if (!is_passing(rc, a) || os_interrupted())
            break;
    }
    http_free(h);
    if (rc < 0)
        err_context(err, "%s", what);
    else if (a->status != 200)
        rc = explain(s, a, what, err);
    return rc;
}

/* ---- the answer ---------------------------------------------------------------------------------------------- */

static int take_key(const struct http_response *a, const char *what, struct aws_key *k, struct err *err)
{
    static const char *const paths[] = { "Credentials/AccessKeyId", "Credentials/SecretAccessKey",
                                         "Credentials/SessionToken", "Credentials/Expiration" };
    struct buf values[4];
    time_t expires = 0;
    int rc = -1;

    for (int i = 0; i < 4; i++) {
        buf_init(&values[i], AWSCREDS_TOKEN);
        xml_find(a->body.data, a->body.size, paths[i], &values[i]);
    }
    if (!clock_parse_iso(values[3].data, &expires))
        err_set(err, ERR_CONFIG, "%s: the answer of STS is not as it should be", what);
    else
        rc = awscreds_set(k, values[0].data, values[1].data, values[2].data, expires, "STS", err);
    for (int i = 0; i < 4; i++) {
        text_wipe(values[i].data, values[i].size);
        buf_release(&values[i]);
    }
    return rc;
}

static void add_session(struct awscreds *c, struct sts_call *s, const struct awscreds_role *role)
{
    char name[64];

    snprintf(name, sizeof name, "sfb-%lld", (long long)awscreds_now(c));
    add_field(s, "RoleSessionName", role->session ? role->session : name);
}

int awscreds_assume(struct awscreds *c, const struct awscreds_role *role, const struct aws_key *base, struct aws_key *k,
                    struct err *err)
{
    struct http_response a = { 0 };
    struct sts_call s;
    char what[256];
    int rc = -1;

    snprintf(what, sizeof what, "can't take on the role %.200s", role->arn);
    call_init(&s);
    add_field(&s, "Action", "AssumeRole");
    add_field(&s, "Version", "2011-06-15");
    add_field(&s, "RoleArn", role->arn);
    add_field(&s, "ExternalId", role->external_id);
    add_field(&s, "DurationSeconds", role->duration);
    add_session(c, &s, role);
    if (set_endpoint(c, &s, err) == 0 && put_together(c, &s, base, err) == 0 && ask(c, &s, what, &a, err) == 0)
        rc = take_key(&a, what, k, err);
    call_release(&s);
    http_response_release(&a);
    return rc;
}

int awscreds_assume_web(struct awscreds *c, const struct awscreds_role *role, const char *token_file, struct aws_key *k,
                        struct err *err)
{
    struct http_response a = { 0 };
    struct sts_call s;
    struct buf token;
    char what[256];
    int rc = -1;

    snprintf(what, sizeof what, "can't take on the role %.200s by web identity", role->arn);
    call_init(&s);
    buf_init(&token, AWSCREDS_TOKEN);
    if (os_read_file(token_file, &token, err) < 0) { /* anew each time: it is replaced every hour or so */
        err_reclass(err, ERR_CONFIG);
        err_context(err, "%s", what);
        goto out;
    }
    while (token.size > 0 && strchr(" \r\n", token.data[token.size - 1]))
        buf_cut(&token, token.size - 1);
    add_field(&s, "Action", "AssumeRoleWithWebIdentity");
    add_field(&s, "Version", "2011-06-15");
    add_field(&s, "RoleArn", role->arn);
    add_session(c, &s, role);
    add_field(&s, "WebIdentityToken", token.data);
    if (set_endpoint(c, &s, err) == 0 && put_together(c, &s, NULL, err) == 0 && ask(c, &s, what, &a, err) == 0)
        rc = take_key(&a, what, k, err);
out:
    text_wipe(token.data, token.size);
    buf_release(&token);
    call_release(&s);
    http_response_release(&a);
    return rc;
}

int awscreds_whoami(struct awscreds *c, const struct aws_key *key, struct buf *out, struct err *err)
{
    static const char what[] = "can't ask who these credentials are";
    struct http_response a = { 0 };
    struct sts_call s;
    int rc = -1;

    call_init(&s);
    add_field(&s, "Action", "GetCallerIdentity");
    add_field(&s, "Version", "2011-06-15");
    if (set_endpoint(c, &s, err) < 0 || put_together(c, &s, key, err) < 0 || ask(c, &s, what, &a, err) < 0)
        goto out;
    if (!xml_find(a.body.data, a.body.size, "GetCallerIdentityResult/Arn", out))
        err_set(err, ERR_STORE, "%s: the answer of STS is not as it should be", what);
    else
        rc = buf_check(out, err);
out:
    call_release(&s);
    http_response_release(&a);
    return rc;
}
