/* SPDX-License-Identifier: PostgreSQL */
/* s3_multipart.c - an object that is sent in parts, or copied in parts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/base/text.h"
#include "core/store/s3_impl.h"
#include "core/store/xml.h"

#define COMPLETE_MAX (2 * 1024 * 1024) /* of the list of 10,000 parts */
#define SERVER_WORKS 600               /* seconds: a server that puts an object together or copies it may be silent */
#define COPY_ONCE_MAX (5ULL << 30)     /* S3's own limit of a copy in one piece */
#define COPY_PART (1ULL << 30)         /* of one in parts: so that each is answered within its time */

static void set_query(struct buf *out, const char *id, unsigned number)
{
    if (number > 0)
        buf_printf(out, "partNumber=%u&", number);
    buf_puts(out, "uploadId=");
    sigv4_encode(out, id, false);
}

/* ---- begin, end ---------------------------------------------------------------------------------------------- */

int s3_create_upload(struct s3 *s, const char *key, const char *content_type, const atomic_bool *cancel,
                     char id[S3_UPLOAD_ID], bool *twice, struct err *err)
{
    struct sigv4_header headers[4];
    struct s3_call c = {
        .what = "start writing",
        .class = ERR_UPLOAD,
        .method = "POST",
        .key = key,
        .query = "uploads=",
        .headers = headers,
        .body = "",
        .cancel = cancel,
        .fresh = true,
    };
    struct s3_trouble t = { 0 };
    struct s3_answer a = { 0 };
    char sse[64];
    struct buf found;
    int rc;

    buf_init(&found, S3_UPLOAD_ID - 1);
    headers[c.n_headers++] = (struct sigv4_header){ "Content-Type",
                                                    content_type ? content_type : "application/octet-stream" };
    s3_add_sse(s, headers, &c.n_headers);
    while ((rc = s3_try(s, &c, t.redirect[0] ? t.redirect : NULL, &a, err)) < 0) {
        *twice = *twice || s3_may_have_worked(&a);
        if (s3_again(s, &c, &t, &a, err) < 0)
            break;
    }
    if (rc == 0 && (!xml_find(a.http.body.data, a.http.body.size, "InitiateMultipartUploadResult/UploadId", &found) ||
                    found.size == 0 || found.failed)) {
        rc = err_set(err, ERR_UPLOAD, "can't start writing s3://%s/%s: the answer names no upload (request %s)",
                     s->bucket, key, a.request_id);
        err_hint(err, "is %s really an S3 endpoint?", s->endpoint);
    }
    snprintf(id, S3_UPLOAD_ID, "%s", rc == 0 ? found.data : "");
    s3_take_header(sse, sizeof sse, &a, "x-amz-server-side-encryption");
    if (rc == 0)
        rc = s3_check_sse(s, key, sse, a.request_id, err);
    buf_release(&found);
    s3_answer_release(&a);
    return rc;
}

int s3_abort_upload(struct s3 *s, const char *key, const char *id, bool *denied, struct err *err)
{
    struct s3_call c = {
        .what = "abort the upload of", .class = ERR_UPLOAD, .method = "DELETE", .key = key, .regardless = true
    };
    struct s3_answer a = { 0 };
    struct buf query;
    int rc = -1;

    if (denied)
        *denied = false;
    buf_init(&query, 4 * S3_UPLOAD_ID);
    set_query(&query, id, 0);
    if (buf_check(&query, err) < 0)
        goto out;
    c.query = query.data;
    rc = s3_call(s, &c, &a, err);
    if (rc < 0 && strcmp(a.code, "NoSuchUpload") == 0) {
        err_clear(err);
        rc = 0;
    }
    if (rc < 0 && denied)
        *denied = s3_is_denied(&a);
out:
    buf_release(&query);
    s3_answer_release(&a);
    return rc;
}

/* ---- parts --------------------------------------------------------------------------------------------------- */

static int check_part(const struct s3 *s, const struct s3_call *c, const struct s3_answer *a, unsigned number,
                      const struct s3_part *part, struct err *err)
{
    char etag[128], expected[33], sse[64];
    enum store_proof proof;

    s3_etag_copy(etag, part->etag);
    s3_take_header(sse, sizeof sse, a, "x-amz-server-side-encryption");
    if (etag[0] == '\0')
        return err_set(err, ERR_UPLOAD, "part %u of s3://%s/%s: the answer has no ETag (request %s)", number, s->bucket,
                       c->key, a->request_id);
    if (s->params.sse == STORE_SSE_KMS)
        return 0; /* not every server says in the answer to a part that it is encrypted so */
    if (s3_etag_check(etag, text_hex(expected, part->md5, 16), sse, &proof, err) < 0) {
        err_context(err, "part %u of s3://%s/%s", number, s->bucket, c->key);
        err_hint(err, "run it again; if it repeats, ask the provider with request %s", a->request_id);
        return -1;
    }
    return 0;
}

int s3_put_part(struct s3 *s, const char *key, const char *id, unsigned number, const struct s3_body *body,
                struct s3_part *out, struct err *err)
{
    struct s3_call c = {
        .what = "write",
        .class = ERR_UPLOAD,
        .method = "PUT",
        .key = key,
        .body = body->bytes,
        .body_size = body->size,
        .fd = body->fd,
        .offset = body->offset,
        .sum = body->sum,
        .cancel = body->cancel,
    };
    struct s3_answer a = { 0 };
    struct buf query;
    int rc = -1;

    buf_init(&query, 4 * S3_UPLOAD_ID);
    set_query(&query, id, number);
    c.query = query.data;
    if (buf_check(&query, err) < 0 || s3_call(s, &c, &a, err) < 0)
        goto out;
    memcpy(out->md5, body->sum->md5, sizeof out->md5);
    s3_take_header(out->etag, sizeof out->etag, &a, "etag");
    rc = check_part(s, &c, &a, number, out, err);
out:
    buf_release(&query);
    s3_answer_release(&a);
    return rc;
}

/* ---- completion ---------------------------------------------------------------------------------------------- */

static void write_parts(struct buf *out, const struct s3_part *parts, unsigned n)
{
    buf_puts(out, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (unsigned i = 0; i < n; i++) {
        buf_printf(out, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
        xml_escape(out, parts[i].etag);
        buf_puts(out, "</ETag></Part>");
    }
    buf_puts(out, "</CompleteMultipartUpload>");
}

/* The answer to an earlier try may have been lost: then there is no such upload any more, and the object is ours. */
static int was_completed(struct s3 *s, const char *key, const char *expected, uint64_t size, bool lost,
                         struct store_result *out, struct err *err)
{
    struct store_info info;
    struct err trouble = { 0 };

    if (s3_head(s, key, &info, false, &trouble) < 0) {
        if (lost || strcmp(err->code, "NoSuchUpload") == 0)
            err_hint(err, "the connection broke at the end: the object may be whole, but this identity may not look at "
                          "it; run it again");
        return -1;
    }
    if (info.size != size || (expected && strcasecmp(info.etag, expected) != 0))
        return -1;
    err_clear(err);
    memcpy(out->etag, info.etag, sizeof out->etag);
    memcpy(out->sse, info.sse, sizeof out->sse);
    return 0;
}

static void take_completion(const struct s3_answer *a, struct store_result *out)
{
    struct buf etag;

    s3_take_result(a, out);
    buf_init(&etag, sizeof out->etag - 1);
    if (xml_find(a->http.body.data, a->http.body.size, "CompleteMultipartUploadResult/ETag", &etag))
        s3_etag_copy(out->etag, etag.data);
    buf_release(&etag);
}

/* Somebody else's object has that name, or is getting it just now. */
static bool is_taken(const struct s3_answer *a)
{
    return a->http.status == 412 || strcmp(a->code, "ConditionalRequestConflict") == 0;
}

/* Its only header is If-None-Match, which a server may not know. */
static int complete_tries(struct s3 *s, struct s3_call *c, struct s3_answer *a, const char *expected, uint64_t size,
                          struct store_result *out, struct err *err)
{
    struct s3_trouble t = { 0 };
    bool lost = false; /* an earlier try's answer */

    for (;;) {
        if (s3_try(s, c, t.redirect[0] ? t.redirect : NULL, a, err) == 0) {
            take_completion(a, out);
            return 0;
        }
        out->unsure = lost && !is_taken(a);
        if (strcmp(a->code, "NoSuchUpload") == 0 || is_taken(a))
            return was_completed(s, c->key, expected, size, lost, out, err);
        out->unsure = lost = lost || s3_may_have_worked(a);
        if (c->n_headers > 0 && a->http.status == 501) {
            c->n_headers = 0;
            err_clear(err);
        } else if (s3_again(s, c, &t, a, err) < 0) {
            return -1;
        }
    }
}

/* Some servers' answers to a completion have an empty ETag: then we look, where we may. Each part has been compared. */
static int compare(struct s3 *s, const char *key, const char *expected, struct store_result *out, struct err *err)
{
    struct store_info info;
    struct err ignored = { 0 };

    if (out->etag[0] == '\0' && s3_head(s, key, &info, false, &ignored) == 0) {
        memcpy(out->etag, info.etag, sizeof out->etag);
        memcpy(out->sse, info.sse, sizeof out->sse);
    }
    if (s3_etag_check(out->etag, expected, s->params.sse == STORE_SSE_KMS ? "aws:kms" : out->sse, &out->proof, err) ==
        0)
        return 0;
    err_context(err, "s3://%s/%s", s->bucket, key);
    err_hint(err, "delete it and run it again; if it repeats, ask the provider with request %s", out->request_id);
    return -1;
}

int s3_complete_upload(struct s3 *s, const char *key, const char *id, const struct s3_part *parts, unsigned n,
                       const char *expected, uint64_t size, bool if_absent, struct store_result *out, struct err *err)
{
    static const struct sigv4_header absent = { "If-None-Match", "*" };
    struct s3_call c = {
        .what = "finish writing",
        .class = ERR_UPLOAD,
        .method = "POST",
        .key = key,
        .headers = &absent,
        .n_headers = if_absent,
        .stall_seconds = SERVER_WORKS,
        .fresh = if_absent, /* or a try behind our back would meet the object of the one before */
    };
    struct s3_answer a = { 0 };
    struct buf body, query;
    int rc = -1;

    buf_init(&body, COMPLETE_MAX);
    buf_init(&query, 4 * S3_UPLOAD_ID);
    set_query(&query, id, 0);
    write_parts(&body, parts, n);
    if (buf_check(&body, err) < 0 || buf_check(&query, err) < 0)
        goto out;
    c.query = query.data;
    c.body = body.data;
    c.body_size = body.size;
    memset(out, 0, sizeof *out);
    out->size = size;
    out->parts = n;
    if (complete_tries(s, &c, &a, expected, size, out, err) < 0 ||
        (expected && compare(s, key, expected, out, err) < 0))
        goto out;
    rc = 0;
out:
    buf_release(&body);
    buf_release(&query);
    s3_answer_release(&a);
    return rc;
}

/* ---- copies -------------------------------------------------------------------------------------------------- */

/* Copies answer 200 and an ETag in XML. */
static int take_copy(const struct s3_call *c, const struct s3 *s, const struct s3_answer *a, const char *path,
                     char *etag, size_t size, struct err *err)
{
    struct buf found;
    int rc = 0;

    buf_init(&found, size - 1);
    if (!xml_find(a->http.body.data, a->http.body.size, path, &found) || found.failed || found.size == 0)
        rc = err_set(err, ERR_UPLOAD, "can't %s s3://%s/%s: the answer names no ETag (request %s)", c->what, s->bucket,
                     c->key, a->request_id);
    snprintf(etag, size, "%s", found.data);
    buf_release(&found);
    return rc;
}

static int set_source(struct buf *out, const struct s3 *s, const char *key, struct err *err)
{
    buf_printf(out, "/%s/", s->bucket);
    sigv4_encode(out, key, true);
    return buf_check(out, err);
}

static int copy_part(struct s3 *s, const char *key, const char *id, unsigned number, const char *source,
                     uint64_t offset, uint64_t n, struct s3_part *out, struct err *err)
{
    char range[64];
    struct sigv4_header headers[] = { { "x-amz-copy-source", source }, { "x-amz-copy-source-range", range } };
    struct s3_call c = {
        .what = "copy to",
        .class = ERR_UPLOAD,
        .method = "PUT",
        .key = key,
        .headers = headers,
        .n_headers = 2,
        .body = "",
        .stall_seconds = SERVER_WORKS,
    };
    struct s3_answer a = { 0 };
    struct buf query;
    int rc = -1;

    snprintf(range, sizeof range, "bytes=%llu-%llu", (unsigned long long)offset, (unsigned long long)(offset + n - 1));
    buf_init(&query, 4 * S3_UPLOAD_ID);
    set_query(&query, id, number);
    c.query = query.data;
    if (buf_check(&query, err) == 0 && s3_call(s, &c, &a, err) == 0)
        rc = take_copy(&c, s, &a, "CopyPartResult/ETag", out->etag, sizeof out->etag, err);
    buf_release(&query);
    s3_answer_release(&a);
    return rc;
}

static int copy_in_parts(struct s3 *s, const char *source, const char *to, uint64_t size, struct store_result *out,
                         struct err *err)
{
    uint64_t most = s->params.copy_most ? s->params.copy_most : COPY_PART;
    unsigned n = (unsigned)((size + most - 1) / most), i;
    struct s3_part *parts = calloc(n, sizeof *parts);
    char id[S3_UPLOAD_ID] = "";
    bool twice = false;
    int rc = -1;

    if (!parts) {
        err_no_memory(err);
        goto out;
    }
    if (s3_create_upload(s, to, NULL, NULL, id, &twice, err) < 0)
        goto out;
    for (i = 0; i < n; i++) {
        uint64_t offset = i * most, left = size - offset;

        if (copy_part(s, to, id, i + 1, source, offset, left < most ? left : most, &parts[i], err) < 0)
            goto out;
    }
    rc = s3_complete_upload(s, to, id, parts, n, NULL, size, false, out, err);
out:
    if (rc < 0 && id[0]) {
        struct err ignored = { 0 };

        s3_abort_upload(s, to, id, NULL, &ignored);
    }
    if (twice)
        s3_abort_others(s, to, id);
    free(parts);
    return rc;
}

static int copy_once(struct s3 *s, const char *source, const char *to, struct store_result *out, bool *denied,
                     struct err *err)
{
    struct sigv4_header headers[4] = { { "x-amz-copy-source", source } };
    struct s3_call c = {
        .what = "copy to",
        .class = ERR_UPLOAD,
        .method = "PUT",
        .key = to,
        .headers = headers,
        .n_headers = 1,
        .body = "",
        .stall_seconds = SERVER_WORKS,
    };
    struct s3_answer a = { 0 };
    char etag[128] = "";
    int rc;

    s3_add_sse(s, headers, &c.n_headers);
    rc = s3_call(s, &c, &a, err);
    if (rc < 0)
        *denied = s3_is_denied(&a) || a.http.status == 501;
    else
        rc = take_copy(&c, s, &a, "CopyObjectResult/ETag", etag, sizeof etag, err);
    if (rc == 0) {
        s3_take_result(&a, out);
        s3_etag_copy(out->etag, etag);
    }
    s3_answer_release(&a);
    return rc;
}

int s3_copy(struct s3 *s, const char *from, const char *to, struct store_result *out, bool *denied, struct err *err)
{
    struct store_info info;
    struct buf source;
    bool no = false;
    int rc = -1;

    memset(out, 0, sizeof *out);
    buf_init(&source, 8192);
    if (set_source(&source, s, from, err) < 0)
        goto out;
    if (s3_head(s, from, &info, false, err) < 0) { /* its size decides how */
        no = store_was_denied(err);
        if (err->class == ERR_STORE)
            err_reclass(err, ERR_UPLOAD);
        goto out;
    }
    if (info.size <= (s->params.copy_most ? s->params.copy_most : COPY_ONCE_MAX)) {
        rc = copy_once(s, source.data, to, out, &no, err);
    } else {
        rc = copy_in_parts(s, source.data, to, info.size, out, err);
        no = store_was_denied(err) || strcmp(err->code, "NotImplemented") == 0;
    }
    out->size = info.size;
out:
    if (denied)
        *denied = rc < 0 && no;
    buf_release(&source);
    return rc;
}
