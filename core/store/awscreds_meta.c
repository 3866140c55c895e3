/* SPDX-License-Identifier: PostgreSQL */
/* awscreds_meta.c - credentials from close by: the container's endpoint (ECS, EKS Pod Identity) and IMDSv2. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/store/awscreds_impl.h"

#define MAX_ANSWER (64 * 1024)
#define TRIES 3

/* ---- JSON ---------------------------------------------------------------------------------------------------- */

static const char *value(const cJSON *json, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
}

int awscreds_parse_json(const char *text, const char *origin, struct aws_key *k, struct err *err)
{
    cJSON *json = cJSON_Parse(text);
    const char *end = value(json, "Expiration"), *code = value(json, "Code");
    time_t expires = 0;
    int rc = -1;

    if (!json) {
        err_set(err, ERR_CONFIG, "the credentials from %s are no JSON", origin);
    } else if (code && strcmp(code, "Success") != 0) {
        err_set(err, ERR_CONFIG, "%s has no credentials: %s", origin, code);
    } else if (end && !clock_parse_iso(end, &expires)) {
        err_set(err, ERR_CONFIG, "the credentials from %s end at no time: %s", origin, end);
    } else {
        rc = awscreds_set(k, value(json, "AccessKeyId"), value(json, "SecretAccessKey"), value(json, "Token"), expires,
                          origin, err);
    }
    cJSON_Delete(json);
    return rc;
}

/* ---- asking -------------------------------------------------------------------------------------------------- */

struct question {
    const char *method, *url, *header; /* header: one, or NULL */
    unsigned seconds;
};

/* A few tries: these services are close by, and either answer at once or are not there. */
static int ask(struct awscreds *c, const struct question *q, struct http_response *a, struct err *err)
{
    struct http_params p = c->p.http;
    const char *headers[] = { q->header, NULL };
    struct http_request r = {
        .method = q->method,
        .url = q->url,
        .headers = headers,
        .max_body = MAX_ANSWER,
        .connect_seconds = q->seconds,
        .total_seconds = q->seconds,
    };
    struct http *h;
    int rc = -1;

    p.no_proxy = true;
    p.allow_http = true; /* to those addresses only: checked before */
    h = http_new(&p, err);
    for (int i = 0; h && i < TRIES; i++) {
        err_clear(err);
        rc = http_send(h, &r, a, err);
        if (rc == 0 ? a->status < 500 : a->trouble != HTTP_RESET && a->trouble != HTTP_CUT)
            break;
    }
    http_free(h);
    return rc;
}

static unsigned seconds_for_metadata(void)
{
    const char *text = awscreds_variable("AWS_METADATA_SERVICE_TIMEOUT");
    int seconds = 1;

    if (text && !text_parse_int(text, 1, 60, &seconds))
        seconds = 1;
    return (unsigned)seconds;
}

/* ---- the container's endpoint -------------------------------------------------------------------------------- */

/* Plain http only to this host, and to the addresses that ECS and EKS have for it. */
static bool is_allowed(const char *url)
{
    static const char *const known[] = { "http://169.254.170.2", "http://169.254.170.23", "http://[fd00:ec2::23]",
                                         NULL };

    if (text_starts(url, "https://") || (http_is_plain(url) && http_is_loopback(url)))
        return true;
    for (const char *const *k = known; *k; k++)
        if (text_starts(url, *k) && strchr("/:", url[strlen(*k)]))
            return true;
    return false;
}

static int read_token_file(const char *path, struct buf *out, struct err *err)
{
    if (os_read_file(path, out, err) < 0) {
        err_reclass(err, ERR_CONFIG);
        err_context(err, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        return -1;
    }
    while (out->size > 0 && strchr(" \r\n", out->data[out->size - 1]))
        buf_cut(out, out->size - 1);
    return 0;
}

/* "Authorization: TOKEN", or nothing. */
static int container_header(struct buf *out, struct err *err)
{
    const char *file = awscreds_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = awscreds_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    struct buf read;
    int rc = -1;

    buf_init(&read, AWSCREDS_TOKEN);
    if (file && read_token_file(file, &read, err) < 0)
        goto out;
    if (file)
        token = read.data;
    if (token && strpbrk(token, "\r\n")) {
        err_set(err, ERR_CONFIG, "the container's authorization token has more than one line");
        goto out;
    }
    if (token)
        buf_printf(out, "Authorization: %s", token);
    rc = buf_check(out, err);
out:
    text_wipe(read.data, read.size);
    buf_release(&read);
    return rc;
}

enum awscreds_found awscreds_container(struct awscreds *c, struct aws_key *k, char origin[AWSCREDS_ORIGIN],
                                       struct err *err)
{
    const char *relative = awscreds_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = awscreds_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    struct http_response a = { 0 };
    enum awscreds_found found = AWSCREDS_FAILED;
    struct question q = { .method = "GET", .seconds = 5 };
    struct buf url, header;

    if (!relative && !full)
        return AWSCREDS_ABSENT;
    buf_init(&url, 4096);
    buf_init(&header, AWSCREDS_TOKEN + 32);
    buf_printf(&url, "%s%s", relative ? "http://169.254.170.2" : "", relative ? relative : full);
    snprintf(origin, AWSCREDS_ORIGIN, "the container's endpoint (%.400s)", url.data);
    if (!is_allowed(url.data)) {
        err_set(err, ERR_CONFIG, "AWS_CONTAINER_CREDENTIALS_FULL_URI is plain http to another host: %s", url.data);
        goto out;
    }
    if (container_header(&header, err) < 0)
        goto out;
    q.url = url.data;
    q.header = header.size > 0 ? header.data : NULL;
    if (ask(c, &q, &a, err) < 0) {
        err_context(err, "AWS credentials from the container's endpoint");
        goto out;
    }
    if (a.status != 200) {
        err_set(err, ERR_CONFIG, "the container's endpoint %s gives no credentials: HTTP %d", url.data, a.status);
        err_hint(err,
                 "has the task or pod a role, and is the token (AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE) still good?");
        goto out;
    }
    if (awscreds_parse_json(a.body.data, origin, k, err) == 0)
        found = AWSCREDS_FOUND;
out:
    if (header.size > 0)
        text_wipe(header.data, header.size);
    buf_release(&url);
    buf_release(&header);
    http_response_release(&a);
    return found;
}

/* ---- IMDSv2 -------------------------------------------------------------------------------------------------- */

static const char *imds_base(void)
{
    const char *named = awscreds_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = awscreds_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

    if (named)
        return named;
    return mode && strcasecmp(mode, "ipv6") == 0 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
}

static int imds_url(struct buf *out, const char *path, struct err *err)
{
    const char *base = imds_base();
    size_t n = strlen(base);

    while (n > 0 && base[n - 1] == '/')
        n--;
    buf_reset(out);
    buf_printf(out, "%.*s/latest/%s", (int)n, base, path);
    return buf_check(out, err);
}

/* The token that v2 asks for. Nobody there is no error: most hosts are no EC2 instances. */
static enum awscreds_found imds_token(struct awscreds *c, struct buf *url, struct buf *header, struct err *err)
{
    struct question q = { "PUT", NULL, "X-aws-ec2-metadata-token-ttl-seconds: 21600", seconds_for_metadata() };
    struct http_response a = { 0 };
    enum awscreds_found found = AWSCREDS_FAILED;

    if (imds_url(url, "api/token", err) < 0)
        return AWSCREDS_FAILED;
    q.url = url->data;
    if (ask(c, &q, &a, err) < 0) {
        if (a.trouble == HTTP_SLOW || a.trouble == HTTP_STALLED) {
            err_reclass(err, ERR_CONFIG);
            err_context(err, "AWS credentials from instance metadata (IMDSv2)");
            err_hint(
                err,
                "in a container the instance's HttpPutResponseHopLimit must be 2; AWS_EC2_METADATA_DISABLED=true skips this");
        } else if (a.trouble != HTTP_OWN) {
            err_clear(err);
            found = AWSCREDS_ABSENT;
        }
    } else if (a.status == 200 && a.body.size > 0 && !strpbrk(a.body.data, "\r\n")) {
        buf_printf(header, "X-aws-ec2-metadata-token: %s", a.body.data);
        found = buf_check(header, err) < 0 ? AWSCREDS_FAILED : AWSCREDS_FOUND;
    } else {
        found =
            AWSCREDS_ABSENT; /* something else answers at that address, or v1 only, which anybody can be made to fetch */
    }
    http_response_release(&a);
    return found;
}

static enum awscreds_found imds_get(struct awscreds *c, const char *path, const char *header, struct buf *url,
                                    struct http_response *a, struct err *err)
{
    struct question q = { "GET", NULL, header, seconds_for_metadata() };

    if (imds_url(url, path, err) < 0)
        return AWSCREDS_FAILED;
    q.url = url->data;
    if (ask(c, &q, a, err) < 0) {
        err_context(err, "AWS credentials from instance metadata (IMDSv2)");
        return AWSCREDS_FAILED;
    }
    if (a->status == 404)
        return AWSCREDS_ABSENT; /* no role on this instance */
    if (a->status != 200) {
        err_set(err, ERR_CONFIG, "instance metadata gives no credentials: HTTP %d for %s", a->status, url->data);
        return AWSCREDS_FAILED;
    }
    return AWSCREDS_FOUND;
}

static enum awscreds_found imds_role(struct awscreds *c, const char *header, struct buf *url, struct http_response *a,
                                     struct aws_key *k, char origin[AWSCREDS_ORIGIN], struct err *err)
{
    enum awscreds_found found = imds_get(c, "meta-data/iam/security-credentials/", header, url, a, err);
    char role[256], path[320];

    if (found != AWSCREDS_FOUND)
        return found;
    snprintf(role, sizeof role, "%.*s", (int)strcspn(a->body.data, "\r\n"), a->body.data);
    if (!role[0])
        return AWSCREDS_ABSENT;
    if (strpbrk(role, "/?# ")) {
        err_set(err, ERR_CONFIG, "instance metadata names no role: %s", role);
        return AWSCREDS_FAILED;
    }
    snprintf(path, sizeof path, "meta-data/iam/security-credentials/%s", role);
    snprintf(origin, AWSCREDS_ORIGIN, "instance metadata (IMDSv2), role %s", role);
    found = imds_get(c, path, header, url, a, err);
    if (found == AWSCREDS_FOUND && awscreds_parse_json(a->body.data, origin, k, err) < 0)
        found = AWSCREDS_FAILED;
    return found;
}

enum awscreds_found awscreds_imds(struct awscreds *c, struct aws_key *k, char origin[AWSCREDS_ORIGIN], struct err *err)
{
    const char *disabled = awscreds_variable("AWS_EC2_METADATA_DISABLED");
    struct http_response a = { 0 };
    enum awscreds_found found;
    struct buf url, header;

    if (disabled && strcasecmp(disabled, "true") == 0)
        return AWSCREDS_ABSENT;
    buf_init(&url, 4096);
    buf_init(&header, AWSCREDS_TOKEN);
    found = imds_token(c, &url, &header, err);
    if (found == AWSCREDS_FOUND)
        found = imds_role(c, header.data, &url, &a, k, origin, err);
    buf_release(&url);
    buf_release(&header);
    http_response_release(&a);
    return found;
}
