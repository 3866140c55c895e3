/* SPDX-License-Identifier: PostgreSQL */
/* s3_error.c - what S3 says when it says no, and what to do about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/base/text.h"
#include "core/store/s3_impl.h"
#include "core/store/xml.h"

static void take(char *out, size_t size, const char *value)
{
    snprintf(out, size, "%s", value ? value : "");
}

/* <Error><Code>..., also inside a 200: CompleteMultipartUpload and CopyObject answer before they know. */
static void read_body(struct s3_answer *a)
{
    struct xml x;

    xml_init(&x, a->http.body.data, a->http.body.size);
    while (xml_next(&x) != XML_END) {
        if (x.event != XML_CLOSE)
            continue;
        if (xml_is(&x, "Error/Code"))
            take(a->code, sizeof a->code, x.text.data);
        else if (xml_is(&x, "Error/Message"))
            take(a->message, sizeof a->message, x.text.data);
        else if (xml_is(&x, "Error/Region"))
            take(a->region, sizeof a->region, x.text.data);
        else if (xml_is(&x, "Error/RequestId") && !a->request_id[0])
            take(a->request_id, sizeof a->request_id, x.text.data);
    }
    xml_release(&x);
}

/* A HEAD has no body to say it in. */
static const char *code_of_status(int status, bool bucket)
{
    switch (status) {
    case 400:
        return "BadRequest";
    case 401:
    case 403:
        return "AccessDenied";
    case 404:
        return bucket ? "NoSuchBucket" : "NoSuchKey";
    case 412:
        return "PreconditionFailed";
    case 416:
        return "InvalidRange";
    default:
        return "";
    }
}

void s3_error_read(const struct s3 *s, const struct s3_call *c, struct s3_answer *a)
{
    int status = a->http.status;

    take(a->request_id, sizeof a->request_id, http_header(&a->http, "x-amz-request-id"));
    take(a->location, sizeof a->location, http_header(&a->http, "location"));
    if (status < 200 || status >= 300 || !c->sink)
        read_body(a);
    if (http_header(&a->http, "x-amz-bucket-region"))
        take(a->region, sizeof a->region, http_header(&a->http, "x-amz-bucket-region"));
    if ((status < 200 || status >= 300) && !a->code[0])
        take(a->code, sizeof a->code, code_of_status(status, c->key == NULL));
    a->clock_ahead = a->http.date ? difftime(s3_now(s), a->http.date) : 0;
}

/* ---- remedies ------------------------------------------------------------------------------------------------ */

static const struct remedy {
    const char *code, *hint;
} remedies[] = {
    { "SignatureDoesNotMatch",
      "the secret access key does not belong to the access key: check both, they come from %s" },
    { "InvalidAccessKeyId", "the server does not know this access key: check it and the endpoint; it comes from %s" },
    { "InvalidToken", "the session token is not good any more: get new credentials; these come from %s" },
    { "ExpiredToken", "the credentials have ended and could not be renewed: they come from %s" },
    { "UnrecognizedClientException", "the server does not know this access key: it comes from %s" },
    { "NotSignedUp", "the account is not signed up for S3; the credentials come from %s" },
};

#define TAKEN                                                                                         \
    "there is an object of that name already: if another host backs up the same environment, let it " \
    "start at another time"
static const struct remedy other_remedies[] = {
    { "NoSuchUpload", "somebody else ended the upload: a lifecycle rule for incomplete uploads that is too short?" },
    { "InvalidObjectState", "the object was moved to an archive (a lifecycle rule?): restore it in S3 first" },
    { "EntityTooLarge", "set a larger SFB_S3_MAX_PARTS, if the provider allows it" },
    { "InvalidPart",
      "the provider lost a part, or allows fewer than SFB_S3_MAX_PARTS says, or wants all alike, as those of a stream that "
      "is far larger than expected are not: run it again, without --stream" },
    { "QuotaExceeded", "the bucket's or the account's quota is used up" },
    { "InsufficientStorage", "the provider's disks are full" },
    { "NotImplemented", "this server lacks something that sfb uses: SFB_SSE=none is a first thing to try" },
    { "KMS.DisabledException", "the KMS key is disabled: enable it, or name another key" },
    { "KMS.NotFoundException", "there is no such KMS key in this region" },
    { "MethodNotAllowed", "the bucket or the object does not allow this" },
    { "PreconditionFailed", TAKEN },
    { "ConditionalRequestConflict", TAKEN },
};

static const char *find(const struct remedy *list, size_t n, const char *code)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].code, code) == 0)
            return list[i].hint;
    return NULL;
}

static const char *right_for(const struct s3_call *c)
{
    const char *query = c->query ? c->query : "";

    if (strcmp(c->method, "DELETE") == 0)
        return text_starts(query, "uploadId") ? "s3:AbortMultipartUpload" : "s3:DeleteObject";
    if (text_starts(query, "lifecycle"))
        return strcmp(c->method, "PUT") == 0 ? "s3:PutLifecycleConfiguration" : "s3:GetLifecycleConfiguration";
    if (text_starts(query, "versioning"))
        return "s3:GetBucketVersioning";
    if (text_starts(query, "object-lock"))
        return "s3:GetBucketObjectLockConfiguration";
    if (text_starts(query, "location"))
        return "s3:GetBucketLocation";
    if (text_starts(query, "encryption"))
        return "s3:GetEncryptionConfiguration";
    if (strstr(query, "uploads") && strcmp(c->method, "GET") == 0)
        return "s3:ListBucketMultipartUploads";
    if (strcmp(c->method, "GET") == 0 || strcmp(c->method, "HEAD") == 0)
        return c->key ? "s3:GetObject" : "s3:ListBucket";
    return "s3:PutObject";
}

static void hint_denied(const struct s3 *s, const struct s3_call *c, struct err *err)
{
    bool sealed = strcmp(c->method, "GET") != 0 && c->class == ERR_UPLOAD;

    err_hint(err, "the identity (from %s) needs %s on it%s", awscreds_origin(s->creds), right_for(c),
             sealed ? "; a bucket policy may also demand another encryption than SFB_SSE says" : "");
}

static void hint_skew(const struct s3_answer *a, struct err *err)
{
    char off[TEXT_SHORT];
    double ahead = a->clock_ahead;

    if (ahead > -60 && ahead < 60)
        err_hint(err, "set this host's clock (NTP): S3 allows 15 minutes of difference");
    else
        err_hint(err, "this host's clock is %s %s: set it (NTP); S3 allows 15 minutes of difference",
                 text_duration(off, ahead < 0 ? -ahead : ahead), ahead < 0 ? "slow" : "fast");
}

static void add_hint(const struct s3 *s, const struct s3_call *c, const struct s3_answer *a, struct err *err)
{
    const char *hint = find(remedies, sizeof remedies / sizeof *remedies, a->code);

    if (hint) {
        char text[512];
        const char *where = strstr(hint, "%s");

        snprintf(text, sizeof text, "%.*s%s%s", (int)(where - hint), hint, awscreds_origin(s->creds), where + 2);
        err_hint(err, "%s", text);
    } else if (strcmp(a->code, "RequestTimeTooSkewed") == 0) {
        hint_skew(a, err);
    } else if (strcmp(a->code, "NoSuchBucket") == 0) {
        err_hint(err, "create the bucket, or check its name and the endpoint %s (from %s)", s->endpoint,
                 s->endpoint_origin);
    } else if (strcmp(a->code, "AccessDenied") == 0 || strcmp(a->code, "AllAccessDisabled") == 0) {
        hint_denied(s, c, err);
    } else if (a->http.status >= 300 && a->http.status < 400) {
        err_hint(err, "the bucket is in region %s: set AWS_REGION, and check the endpoint %s",
                 a->region[0] ? a->region : "(the server does not say)", s->endpoint);
    } else if ((hint = find(other_remedies, sizeof other_remedies / sizeof *other_remedies, a->code))) {
        err_hint(err, "%s", hint);
    } else if (a->http.status >= 500) {
        err_hint(err, "the service has trouble of its own: try again later, or ask the provider with that request id");
    }
}

static enum err_class class_of(const struct s3_call *c, const struct s3_answer *a)
{
    if (c->class == ERR_STORE && c->key && strcmp(a->code, "NoSuchKey") == 0)
        return ERR_NOT_FOUND;
    if (c->class == ERR_STORE && strcmp(a->code, "PreconditionFailed") == 0)
        return ERR_DAMAGED;
    return c->class;
}

int s3_error_explain(const struct s3 *s, const struct s3_call *c, const struct s3_answer *a, struct err *err)
{
    const char *slash = c->key ? "/" : "", *key = c->key ? c->key : "";
    char id[160] = "", visible[S3_TEXT] = "";
    struct buf text;

    if (a->request_id[0])
        snprintf(id, sizeof id, ", request %s", a->request_id);
    buf_init(&text, sizeof visible - 1);
    text_visible(&text, a->message);
    take(visible, sizeof visible, text.data);
    buf_release(&text);
    if (class_of(c, a) == ERR_NOT_FOUND)
        err_set(err, ERR_NOT_FOUND, "there is no s3://%s%s%s (S3: %s%s)", s->bucket, slash, key, a->code, id);
    else if (class_of(c, a) == ERR_DAMAGED)
        err_set(err, ERR_DAMAGED, "s3://%s%s%s is another object now than the one that was looked at (S3: %s%s)",
                s->bucket, slash, key, a->code, id);
    else if (a->code[0])
        err_set(err, c->class, "can't %s s3://%s%s%s: S3 says %s (%d%s)%s%s", c->what, s->bucket, slash, key, a->code,
                a->http.status, id, visible[0] ? ": " : "", visible);
    else
        err_set(err, c->class, "can't %s s3://%s%s%s: the server says HTTP %d%s", c->what, s->bucket, slash, key,
                a->http.status, id);
    err_code(err, a->code);
    add_hint(s, c, a, err);
    return -1;
}
