/* SPDX-License-Identifier: PostgreSQL */
/* s3_list.c - what is in a bucket: objects, and uploads that nobody finished. Page by page, in bounded memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/store/s3_impl.h"
#include "core/store/xml.h"

#define PAGE_MAX (12 * 1024 * 1024) /* of a thousand keys, each of 1024 bytes that are encoded as three */
#define TOKEN_MAX 4096
#define KEY_MAX 1025

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Keys come percent-encoded when we ask for it: XML can't say control characters. */
static bool decode(struct buf *out, const char *text, bool encoded)
{
    for (; *text; text++) {
        if (encoded && *text == '%' && hex(text[1]) >= 0 && hex(text[2]) >= 0 && hex(text[1]) + hex(text[2]) > 0) {
            buf_putc(out, (char)(hex(text[1]) * 16 + hex(text[2])));
            text += 2;
        } else {
            buf_putc(out, encoded && *text == '+' ? ' ' : *text);
        }
    }
    return !out->failed;
}

static time_t parse_time(const char *text)
{
    time_t t = 0;

    return clock_parse_iso(text, &t) ? t : 0;
}

/* ---- one page ------------------------------------------------------------------------------------------------ */

/* Of both listings. */
struct page {
    bool encoded, truncated, uploads, regardless;
    struct buf key, etag, id, token, marker, id_marker; /* marker: of the uploads' next page */
    uint64_t size;
    time_t time;
    store_lister *lister;
    s3_upload_lister *upload_lister;
    void *cookie;
};

static void page_init(struct page *p)
{
    buf_init(&p->key, 3 * KEY_MAX);
    buf_init(&p->etag, 256);
    buf_init(&p->id, S3_UPLOAD_ID);
    buf_init(&p->token, TOKEN_MAX);
    buf_init(&p->marker, 3 * KEY_MAX);
    buf_init(&p->id_marker, S3_UPLOAD_ID);
}

static void page_release(struct page *p)
{
    buf_release(&p->key);
    buf_release(&p->etag);
    buf_release(&p->id);
    buf_release(&p->token);
    buf_release(&p->marker);
    buf_release(&p->id_marker);
}

static void replace(struct buf *b, const char *text)
{
    buf_reset(b);
    buf_puts(b, text);
}

static int deliver(struct page *p, struct err *err)
{
    char etag[128];
    struct buf key;
    int rc = -1;

    buf_init(&key, KEY_MAX);
    if (!decode(&key, p->key.data, p->encoded) || p->id.failed) {
        err_set(err, ERR_STORE, "the listing has a key that is too long");
        goto out;
    }
    if (p->uploads) {
        struct s3_open_upload u = { .key = key.data, .id = p->id.data, .started = p->time };

        rc = p->upload_lister(p->cookie, &u, err);
    } else {
        struct store_item item = { .key = key.data, .size = p->size, .modified = p->time, .etag = etag };

        s3_etag_copy(etag, p->etag.data);
        rc = p->lister(p->cookie, &item, err);
    }
out:
    buf_release(&key);
    return rc;
}

static int on_close(struct page *p, const struct xml *x, struct err *err)
{
    const char *text = x->text.data;

    if (xml_is(x, "Contents/Key") || xml_is(x, "Upload/Key"))
        replace(&p->key, text);
    else if (xml_is(x, "Contents/Size"))
        p->size = strtoull(text, NULL, 10);
    else if (xml_is(x, "Contents/ETag"))
        replace(&p->etag, text);
    else if (xml_is(x, "Contents/LastModified") || xml_is(x, "Upload/Initiated"))
        p->time = parse_time(text);
    else if (xml_is(x, "Upload/UploadId"))
        replace(&p->id, text);
    else if (xml_is(x, "Contents") || xml_is(x, "Upload"))
        return deliver(p, err);
    else if (xml_is(x, "EncodingType"))
        p->encoded = strcmp(text, "url") == 0;
    else if (xml_is(x, "IsTruncated"))
        p->truncated = strcmp(text, "true") == 0;
    else if (xml_is(x, "NextContinuationToken"))
        replace(&p->token, text);
    else if (xml_is(x, "NextKeyMarker"))
        replace(&p->marker, text);
    else if (xml_is(x, "NextUploadIdMarker"))
        replace(&p->id_marker, text);
    return 0;
}

/* EncodingType may stand behind the keys: looked for first. */
static int read_page(struct page *p, const struct s3 *s, const struct s3_answer *a, const char *root, struct err *err)
{
    struct buf encoding;
    struct xml x;
    int rc = 0;

    buf_init(&encoding, 16);
    p->encoded = xml_find(a->http.body.data, a->http.body.size, "EncodingType", &encoding) &&
                 strcmp(encoding.data, "url") == 0;
    buf_release(&encoding);
    p->truncated = false;
    buf_reset(&p->token);
    buf_reset(&p->marker);
    buf_reset(&p->id_marker);
    xml_init(&x, a->http.body.data, a->http.body.size);
    while (rc == 0 && xml_next(&x) != XML_END) {
        if (x.event == XML_OPEN && x.depth == 1 && !xml_is(&x, root)) {
            rc = err_set(err, ERR_STORE, "can't list s3://%s: the answer is a <%.40s>, not a <%s>", s->bucket,
                         x.names[0], root);
            err_hint(err, "is %s really an S3 endpoint?", s->endpoint);
        } else if (x.event == XML_CLOSE) {
            rc = on_close(p, &x, err);
        }
    }
    if (rc == 0 && xml_failed(&x))
        rc = err_set(err, ERR_STORE, "can't list s3://%s: the answer is no XML as it should be: %s (request %s)",
                     s->bucket, xml_failed(&x), a->request_id);
    xml_release(&x);
    return rc;
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

static void add_parameter(struct buf *query, const char *name, const char *value)
{
    buf_printf(query, "%s%s=", query->size > 0 ? "&" : "", name);
    sigv4_encode(query, value, false);
}

/* A token that leads nowhere, or to where we are, would lead in a circle. */
static int next_page(struct page *p, struct s3 *s, const struct s3_call *c, const char *root, struct err *err)
{
    char *before = strdup(p->token.data);
    struct s3_answer a = { 0 };
    int rc = before ? s3_call(s, c, &a, err) : err_no_memory(err);

    if (rc == 0)
        rc = read_page(p, s, &a, root, err);
    if (rc == 0 && p->truncated && (p->token.size == 0 || strcmp(p->token.data, before) == 0))
        rc = err_set(err, ERR_STORE, "can't list s3://%s: the answer says there is more, but not where", s->bucket);
    s3_answer_release(&a);
    free(before);
    return rc;
}

int s3_list(struct s3 *s, const char *prefix, store_lister *lister, void *cookie, struct err *err)
{
    struct page p = { .lister = lister, .cookie = cookie };
    struct s3_call c = { .what = "list", .class = ERR_STORE, .method = "GET", .max_body = PAGE_MAX };
    struct buf query;
    int rc = -1;

    page_init(&p);
    buf_init(&query, 4 * KEY_MAX + 3 * TOKEN_MAX);
    do {
        buf_reset(&query);
        add_parameter(&query, "list-type", "2");
        add_parameter(&query, "encoding-type", "url");
        add_parameter(&query, "prefix", prefix);
        if (p.truncated)
            add_parameter(&query, "continuation-token", p.token.data);
        c.query = query.data;
        if (buf_check(&query, err) < 0)
            break;
        rc = next_page(&p, s, &c, "ListBucketResult", err);
    } while (rc == 0 && p.truncated);
    buf_release(&query);
    page_release(&p);
    return rc;
}

static int list_uploads(struct s3 *s, struct page *p, const char *prefix, bool *denied, struct err *err)
{
    struct s3_call c = {
        .what = "list the open uploads of",
        .class = ERR_STORE,
        .method = "GET",
        .max_body = PAGE_MAX,
        .regardless = p->regardless,
    };
    struct s3_answer a = { 0 };
    struct buf query, marker;
    int rc = -1;

    buf_init(&query, 8 * KEY_MAX + 3 * S3_UPLOAD_ID);
    buf_init(&marker, KEY_MAX);
    add_parameter(&query, "encoding-type", "url");
    add_parameter(&query, "prefix", prefix);
    if (p->truncated && decode(&marker, p->marker.data, p->encoded)) {
        add_parameter(&query, "key-marker", marker.data);
        add_parameter(&query, "upload-id-marker", p->id_marker.data);
    }
    buf_puts(&query, "&uploads=");
    c.query = query.data;
    if (buf_check(&query, err) == 0)
        rc = s3_call(s, &c, &a, err);
    if (denied)
        *denied = rc < 0 && s3_is_denied(&a);
    if (rc == 0)
        rc = read_page(p, s, &a, "ListMultipartUploadsResult", err);
    if (rc == 0 && p->truncated && p->marker.size == 0)
        rc = err_set(err, ERR_STORE, "can't list s3://%s: the answer says there is more, but not where", s->bucket);
    buf_release(&query);
    buf_release(&marker);
    s3_answer_release(&a);
    return rc;
}

int s3_list_uploads(struct s3 *s, const char *prefix, bool regardless, s3_upload_lister *lister, void *cookie,
                    bool *denied, struct err *err)
{
    struct page p = { .uploads = true, .regardless = regardless, .upload_lister = lister, .cookie = cookie };
    int rc;

    page_init(&p);
    do
        rc = list_uploads(s, &p, prefix, denied, err);
    while (rc == 0 && p.truncated);
    page_release(&p);
    return rc;
}
