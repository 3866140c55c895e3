/* SPDX-License-Identifier: PostgreSQL */
/* s3_object.c - one object: put, head, read, delete. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/text.h"
#include "core/store/s3_impl.h"

void s3_take_header(char *out, size_t size, const struct s3_answer *a, const char *name)
{
    const char *value = http_header(&a->http, name);

    snprintf(out, size, "%s", value ? value : "");
}

void s3_take_result(const struct s3_answer *a, struct store_result *out)
{
    s3_etag_copy(out->etag, http_header(&a->http, "etag"));
    s3_take_header(out->version_id, sizeof out->version_id, a, "x-amz-version-id");
    s3_take_header(out->sse, sizeof out->sse, a, "x-amz-server-side-encryption");
    snprintf(out->request_id, sizeof out->request_id, "%s", a->request_id);
}

int s3_check_sse(const struct s3 *s, const char *key, const char *sse, const char *request_id, struct err *err)
{
    const char *wanted = s->params.sse == STORE_SSE_KMS ? "aws:kms" : "AES256";

    if (s->params.sse == STORE_SSE_NONE || sse[0] == '\0' || text_starts(sse, wanted))
        return 0;
    err_set(err, ERR_UPLOAD, "s3://%s/%s was encrypted with %s, not with %s (request %s)", s->bucket, key, sse, wanted,
            request_id);
    err_hint(err, "look at the bucket's default encryption, or set SFB_SSE to what it is");
    return -1;
}

/* ---- put ----------------------------------------------------------------------------------------------------- */

/* A first try whose answer was lost may have written it: then "there is one already" is our own. */
static int is_ours(struct s3 *s, const char *key, const struct digest_sum *sum, struct store_result *out,
                   struct err *err)
{
    struct store_info info;
    char expected[33];
    struct err trouble = { 0 };

    text_hex(expected, sum->md5, 16);
    if (s3_head(s, key, &info, false, &trouble) < 0 || strcmp(info.etag, expected) != 0)
        return -1;
    err_clear(err);
    memcpy(out->etag, info.etag, sizeof out->etag);
    memcpy(out->sse, info.sse, sizeof out->sse);
    return 0;
}

/* if_absent: the last header is If-None-Match. Where the server does not know it, it is left out; and where what is there
 * may be what an earlier try has written, but may not be looked at. */
static int put_tries(struct s3 *s, struct s3_call *c, bool if_absent, struct s3_answer *a, struct store_result *out,
                     struct err *err)
{
    struct s3_trouble t = { 0 };
    bool lost = false; /* an earlier try's answer */

    for (;;) {
        if (s3_try(s, c, t.redirect[0] ? t.redirect : NULL, a, err) == 0) {
            s3_take_result(a, out);
            return 0;
        }
        if (if_absent && a->http.status == 412 && (is_ours(s, c->key, c->sum, out, err) == 0 || !lost))
            return err->class == ERR_NONE ? 0 : -1;
        lost = lost || s3_may_have_worked(a);
        if (if_absent && (a->http.status == 412 || a->http.status == 501)) {
            if_absent = false;
            c->n_headers--;
            err_clear(err);
        } else if (s3_again(s, c, &t, a, err) < 0) {
            out->unsure = lost;
            return -1;
        }
    }
}

static int check_put(struct s3 *s, const char *key, const struct digest_sum *sum, struct store_result *out,
                     struct err *err)
{
    char expected[33];

    text_hex(expected, sum->md5, 16);
    if (s3_check_sse(s, key, out->sse, out->request_id, err) < 0)
        return -1;
    if (s3_etag_check(out->etag, expected, out->sse, &out->proof, err) < 0) {
        err_context(err, "s3://%s/%s", s->bucket, key);
        err_hint(err, "run it again; if it repeats, ask the provider with request %s", out->request_id);
        return -1;
    }
    return 0;
}

int s3_put(struct s3 *s, const char *key, const struct s3_body *body, struct store_result *out, struct err *err)
{
    struct sigv4_header headers[4];
    struct digest_sum own;
    struct s3_call c = {
        .what = "write",
        .class = ERR_UPLOAD,
        .method = "PUT",
        .key = key,
        .headers = headers,
        .body = body->bytes,
        .body_size = body->size,
        .fd = body->fd,
        .offset = body->offset,
        .sum = body->sum,
        .cancel = body->cancel,
        .fresh = body->if_absent, /* a second try behind our back would meet the first one's object */
    };
    struct s3_answer a = { 0 };
    struct digest *digest = NULL;
    int rc = -1;

    memset(out, 0, sizeof *out);
    out->size = body->size;
    if (!c.sum) {
        digest = digest_new(DIGEST_MD5 | DIGEST_SHA256);
        if (!digest) {
            err_no_memory(err);
            goto out;
        }
        digest_put(digest, body->bytes, (size_t)body->size);
        digest_end(digest, &own);
        c.sum = &own;
    }
    headers[c.n_headers++] = (struct sigv4_header){ "Content-Type", body->content_type ? body->content_type
                                                                                       : "application/octet-stream" };
    s3_add_sse(s, headers, &c.n_headers);
    if (body->if_absent)
        headers[c.n_headers++] = (struct sigv4_header){ "If-None-Match", "*" };
    if (put_tries(s, &c, body->if_absent, &a, out, err) < 0 || check_put(s, key, c.sum, out, err) < 0)
        goto out;
    rc = 0;
out:
    digest_free(digest);
    s3_answer_release(&a);
    return rc;
}

/* ---- head, delete -------------------------------------------------------------------------------------------- */

static void take_info(const struct s3_answer *a, struct store_info *out)
{
    const char *length = http_header(&a->http, "content-length"), *range = http_header(&a->http, "content-range");
    const char *modified = http_header(&a->http, "last-modified");

    memset(out, 0, sizeof *out);
    if (range && strchr(range, '/')) /* bytes 0-9/100 */
        out->size = strtoull(strchr(range, '/') + 1, NULL, 10);
    else if (length && a->http.status != 416) /* that is the refusal's own: of an empty object no range can be had */
        out->size = strtoull(length, NULL, 10);
    out->modified = modified ? curl_getdate(modified, NULL) : 0;
    if (out->modified < 0)
        out->modified = 0;
    s3_etag_copy(out->etag, http_header(&a->http, "etag"));
    s3_take_header(out->sse, sizeof out->sse, a, "x-amz-server-side-encryption");
}

/* The answer to a HEAD has no body, so a 403 may be a wrong secret or a clock that is off, a 404 a bucket that is missing.
 * The first byte's GET says which; and gives the same headers where that alone is allowed. */
int s3_head(struct s3 *s, const char *key, struct store_info *out, bool regardless, struct err *err)
{
    static const struct sigv4_header first_byte = { "Range", "bytes=0-0" };
    struct s3_call c = {
        .what = "look at",
        .class = ERR_STORE,
        .method = "HEAD",
        .key = key,
        .regardless = regardless,
    };
    struct s3_answer a = { 0 };
    int rc = s3_call(s, &c, &a, err);

    if (rc < 0 && a.http.status >= 400 && a.http.status < 500) {
        s3_answer_release(&a);
        err_clear(err);
        c.method = "GET";
        c.headers = &first_byte;
        c.n_headers = 1;
        rc = s3_call(s, &c, &a, err);
    }
    if (rc == 0)
        take_info(&a, out);
    s3_answer_release(&a);
    return rc;
}

int s3_delete(struct s3 *s, const char *key, bool regardless, struct err *err)
{
    struct s3_call c = {
        .what = "delete", .class = ERR_STORE, .method = "DELETE", .key = key, .regardless = regardless
    };
    struct s3_answer a = { 0 };
    int rc = s3_call(s, &c, &a, err);
    const char *marker = http_header(&a.http, "x-amz-delete-marker");

    if (rc == 0 && marker != NULL && strcmp(marker, "true") == 0)
        atomic_store(&s->hides, true);
    if (rc < 0 && s3_is_missing(&a)) {
        err_clear(err);
        rc = 0;
    }
    s3_answer_release(&a);
    return rc;
}

/* ---- read ---------------------------------------------------------------------------------------------------- */

/* Counts what has come through, so that the next try goes on behind it, in the same version. */
struct reader {
    store_sink *sink;
    void *cookie;
    uint64_t offset, got, wanted;
    const struct s3_answer *a;
    bool checked; /* the answer that runs starts where it should */
    char pinned[132];
};

static bool same_etag(const char *a, const char *b)
{
    char left[128], right[128];

    s3_etag_copy(left, a);
    s3_etag_copy(right, b);
    return strcmp(left, right) == 0;
}

/* A server that does not know ranges sends the wrong bytes, one that knows no If-Match those of another object: none of
 * them may get through. */
static int check_answer(struct reader *r, struct err *err)
{
    const char *range = http_header(&r->a->http, "content-range"), *etag = http_header(&r->a->http, "etag");
    uint64_t from = 0;
    char *end = NULL;

    if (range) {
        from = text_starts(range, "bytes ") ? strtoull(range + 6, &end, 10) : 0;
        if (!end || *end != '-')
            from = UINT64_MAX;
    }
    if (from != r->offset + r->got)
        return err_set(err, ERR_STORE, "the server does not keep to the range it was asked for");
    if (r->pinned[0] && etag && !same_etag(r->pinned, etag))
        return err_set(err, ERR_DAMAGED, "it is another object now than the one that was looked at");
    if (!r->pinned[0] && etag)
        snprintf(r->pinned, sizeof r->pinned, "%.130s", etag);
    r->checked = true;
    return 0;
}

static int on_bytes(void *cookie, const void *bytes, size_t n, struct err *err)
{
    struct reader *r = cookie;

    if (!r->checked && check_answer(r, err) < 0)
        return -1;
    if (n > r->wanted - r->got)
        return err_set(err, ERR_STORE, "the server sends more than it was asked for");
    r->got += n;
    return r->sink(r->cookie, bytes, n, err);
}

static void set_range(char out[64], uint64_t offset, uint64_t n)
{
    if (n == UINT64_MAX)
        snprintf(out, 64, "bytes=%llu-", (unsigned long long)offset);
    else
        snprintf(out, 64, "bytes=%llu-%llu", (unsigned long long)offset, (unsigned long long)(offset + n - 1));
}

static int read_once(struct s3 *s, struct s3_call *c, struct reader *r, struct s3_trouble *t, struct s3_answer *a,
                     struct err *err)
{
    struct sigv4_header headers[2];
    uint64_t before = r->got;
    char range[64];
    int rc;

    c->headers = headers;
    c->n_headers = 0;
    if (r->offset + r->got > 0 || r->wanted != UINT64_MAX) {
        set_range(range, r->offset + r->got, r->wanted == UINT64_MAX ? UINT64_MAX : r->wanted - r->got);
        headers[c->n_headers++] = (struct sigv4_header){ "Range", range };
    }
    if (r->pinned[0])
        headers[c->n_headers++] = (struct sigv4_header){ "If-Match", r->pinned };
    r->checked = false;
    rc = s3_try(s, c, t->redirect[0] ? t->redirect : NULL, a, err);
    if (r->got > before) { /* it moves: the next trouble is a new one */
        t->tries = 0;
        t->renewed = false;
    }
    return rc;
}

int s3_read(struct s3 *s, const char *key, const char *etag, uint64_t offset, uint64_t n, const atomic_bool *cancel,
            store_sink *sink, void *cookie, struct store_info *info, struct err *err)
{
    struct s3_answer a = { 0 };
    struct reader r = { .sink = sink, .cookie = cookie, .offset = offset, .wanted = n, .a = &a };
    struct s3_call c = {
        .what = "read",
        .class = ERR_STORE,
        .method = "GET",
        .key = key,
        .sink = on_bytes,
        .cookie = &r,
        .cancel = cancel,
    };
    struct s3_trouble t = { 0 };
    int rc = -1;

    if (n == 0)
        return 0;
    if (etag && *etag)
        snprintf(r.pinned, sizeof r.pinned, "\"%.128s\"", etag);
    while ((rc = read_once(s, &c, &r, &t, &a, err)) < 0)
        if (r.got == n || s3_again(s, &c, &t, &a, err) < 0)
            break;
    if (rc < 0 && ((r.got == n && a.http.trouble == HTTP_CUT) || (a.http.status == 416 && r.got == 0))) {
        err_clear(err); /* all there, only the end was rude; or it began behind the end of the object */
        rc = 0;
    }
    if (rc == 0 && info)
        take_info(&a, info);
    s3_answer_release(&a);
    return rc;
}
