/* SPDX-License-Identifier: PostgreSQL */
/* s3_bucket.c - what a bucket is like: for `sfb doctor`, and the lifecycle for `sfb prune --lifecycle`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/text.h"
#include "core/store/s3_impl.h"
#include "core/store/xml.h"

#define MAX_RULES 1000 /* S3's limit */
#define MAX_BODY (2 * 1024 * 1024)

/* ---- probe --------------------------------------------------------------------------------------------------- */

int s3_probe_bucket(struct s3 *s, struct s3_probe *out, struct err *err)
{
    struct s3_call c = { .what = "look at", .class = ERR_STORE, .method = "HEAD", .once = true };
    struct s3_answer a = { 0 };
    int rc = s3_call(s, &c, &a, err);

    memset(out, 0, sizeof *out);
    out->status = a.http.status;
    out->trouble = a.http.trouble;
    out->clock_ahead = a.clock_ahead;
    snprintf(out->code, sizeof out->code, "%s", a.code);
    snprintf(out->request_id, sizeof out->request_id, "%s", a.request_id);
    snprintf(out->region, sizeof out->region, "%s", a.region);
    if (rc < 0 && a.http.trouble == HTTP_FINE && a.http.status > 0) {
        err_clear(err);
        rc = 0;
    }
    s3_answer_release(&a);
    return rc;
}

/* ---- one question each --------------------------------------------------------------------------------------- */

/* GET ?query. *absent: a 404 with that code, which means that nothing is configured. */
static int ask(struct s3 *s, const char *what, const char *query, const char *absent_code, bool *absent, bool *denied,
               struct s3_answer *a, struct err *err)
{
    struct s3_call c = {
        .what = what,
        .class = ERR_STORE,
        .method = "GET",
        .query = query,
        .max_body = MAX_BODY,
    };
    int rc = s3_call(s, &c, a, err);

    *absent = false;
    if (denied)
        *denied = rc < 0 && s3_is_denied(a);
    if (rc < 0 && absent_code && strcmp(a->code, absent_code) == 0) {
        err_clear(err);
        *absent = true;
        return 0;
    }
    return rc;
}

static void find(const struct s3_answer *a, const char *path, char *out, size_t size)
{
    struct buf text;

    buf_init(&text, size - 1);
    if (!xml_find(a->http.body.data, a->http.body.size, path, &text))
        buf_reset(&text);
    snprintf(out, size, "%s", text.data);
    buf_release(&text);
}

int s3_get_location(struct s3 *s, struct buf *region, bool *denied, struct err *err)
{
    struct s3_answer a = { 0 };
    char found[64];
    bool absent;
    int rc = ask(s, "ask for the region of", "location=", NULL, &absent, denied, &a, err);

    if (rc == 0) {
        find(&a, "LocationConstraint", found, sizeof found);
        if (strcmp(found, "EU") == 0)
            buf_puts(region, "eu-west-1");
        else
            buf_puts(region, found[0] ? found : "us-east-1");
        rc = buf_check(region, err);
    }
    s3_answer_release(&a);
    return rc;
}

int s3_get_versioning(struct s3 *s, enum s3_versioning *out, bool *denied, struct err *err)
{
    struct s3_answer a = { 0 };
    char status[16];
    bool absent;
    int rc = ask(s, "ask for the versioning of", "versioning=", NULL, &absent, denied, &a, err);

    if (rc == 0) {
        find(&a, "VersioningConfiguration/Status", status, sizeof status);
        *out = strcmp(status, "Enabled") == 0   ? S3_VERSIONING_ON
             : strcmp(status, "Suspended") == 0 ? S3_VERSIONING_SUSPENDED
                                                : S3_VERSIONING_OFF;
    }
    s3_answer_release(&a);
    return rc;
}

static int to_int(const char *text)
{
    int n = 0;

    return text_parse_int(text, 0, 1000000, &n) ? n : 0;
}

int s3_get_object_lock(struct s3 *s, struct s3_lock *out, bool *denied, struct err *err)
{
    struct s3_answer a = { 0 };
    char text[32];
    bool absent;
    int rc = ask(s, "ask for the object lock of", "object-lock=", "ObjectLockConfigurationNotFoundError", &absent,
                 denied, &a, err);

    memset(out, 0, sizeof *out);
    if (rc == 0 && !absent) {
        find(&a, "ObjectLockConfiguration/ObjectLockEnabled", text, sizeof text);
        out->enabled = strcmp(text, "Enabled") == 0;
        find(&a, "DefaultRetention/Mode", out->mode, sizeof out->mode);
        find(&a, "DefaultRetention/Days", text, sizeof text);
        out->days = to_int(text);
        find(&a, "DefaultRetention/Years", text, sizeof text);
        out->years = to_int(text);
    }
    s3_answer_release(&a);
    return rc;
}

int s3_get_encryption(struct s3 *s, struct s3_encryption *out, bool *denied, struct err *err)
{
    struct s3_answer a = { 0 };
    bool absent;
    int rc = ask(s, "ask for the encryption of", "encryption=", "ServerSideEncryptionConfigurationNotFoundError",
                 &absent, denied, &a, err);

    memset(out, 0, sizeof *out);
    if (rc == 0 && !absent) {
        find(&a, "ApplyServerSideEncryptionByDefault/SSEAlgorithm", out->algorithm, sizeof out->algorithm);
        find(&a, "ApplyServerSideEncryptionByDefault/KMSMasterKeyID", out->key_id, sizeof out->key_id);
    }
    s3_answer_release(&a);
    return rc;
}

/* ---- lifecycle ----------------------------------------------------------------------------------------------- */

/* An element that only holds others, or an ExpiredObjectDeleteMarker of false. */
static bool says_nothing(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0' || strcmp(text, "false") == 0;
}

static void read_element(struct s3_rule *r, const struct xml *x)
{
    const char *text = x->text.data;

    if (xml_is(x, "Rule/ID"))
        snprintf(r->id, sizeof r->id, "%s", text);
    else if (xml_is(x, "Rule/Status"))
        r->enabled = strcmp(text, "Enabled") == 0;
    else if (xml_is(x, "Rule/Prefix") || xml_is(x, "Filter/Prefix") || xml_is(x, "And/Prefix"))
        snprintf(r->prefix, sizeof r->prefix, "%s", text);
    else if (xml_is(x, "Tag") || xml_is(x, "ObjectSizeGreaterThan") || xml_is(x, "ObjectSizeLessThan"))
        r->narrowed = true;
    else if (xml_is(x, "Rule/Expiration/Days"))
        r->expire_days = to_int(text);
    else if (xml_is(x, "Rule/Expiration/Date"))
        r->dated = true;
    else if (xml_is(x, "NoncurrentVersionExpiration/NoncurrentDays"))
        r->noncurrent_days = to_int(text);
    else if (xml_is(x, "AbortIncompleteMultipartUpload/DaysAfterInitiation"))
        r->abort_days = to_int(text);
    else if (xml_is(x, "Transition") || xml_is(x, "NoncurrentVersionTransition"))
        r->moves = true;
    else if (!says_nothing(text))
        r->more = true;
}

static int read_rules(const struct s3_answer *a, struct s3_rule *rules, size_t *n, struct err *err)
{
    struct xml x;
    int rc = 0;

    xml_init(&x, a->http.body.data, a->http.body.size);
    while (rc == 0 && xml_next(&x) != XML_END) {
        if (x.event == XML_OPEN && xml_is(&x, "LifecycleConfiguration/Rule") && ++*n > MAX_RULES)
            rc = err_set(err, ERR_STORE, "the bucket has more than %d lifecycle rules", MAX_RULES);
        else if (x.event == XML_CLOSE && *n > 0)
            read_element(&rules[*n - 1], &x);
    }
    if (rc == 0 && xml_failed(&x))
        rc = err_set(err, ERR_STORE, "the bucket's lifecycle is no XML as it should be: %s", xml_failed(&x));
    xml_release(&x);
    return rc;
}

int s3_get_lifecycle(struct s3 *s, struct s3_rule **rules, size_t *n, bool *denied, struct err *err)
{
    struct s3_answer a = { 0 };
    struct s3_rule *list = NULL;
    bool absent;
    int rc;

    *rules = NULL;
    *n = 0;
    rc = ask(s, "ask for the lifecycle of", "lifecycle=", "NoSuchLifecycleConfiguration", &absent, denied, &a, err);
    if (rc < 0 || absent)
        goto out;
    list = calloc(MAX_RULES, sizeof *list); /* untouched memory costs nothing */
    rc = list ? read_rules(&a, list, n, err) : err_no_memory(err);
out:
    if (rc == 0 && *n > 0) {
        *rules = list;
        list = NULL;
    }
    free(list);
    s3_answer_release(&a);
    return rc;
}

static void write_rule(struct buf *out, const struct s3_rule *r)
{
    buf_puts(out, "<Rule><ID>");
    xml_escape(out, r->id);
    buf_puts(out, "</ID><Filter><Prefix>");
    xml_escape(out, r->prefix);
    buf_printf(out, "</Prefix></Filter><Status>%s</Status>", r->enabled ? "Enabled" : "Disabled");
    if (r->expire_days > 0)
        buf_printf(out, "<Expiration><Days>%d</Days></Expiration>", r->expire_days);
    if (r->noncurrent_days > 0)
        buf_printf(out,
                   "<NoncurrentVersionExpiration><NoncurrentDays>%d</NoncurrentDays></NoncurrentVersionExpiration>",
                   r->noncurrent_days);
    if (r->abort_days > 0)
        buf_printf(out,
                   "<AbortIncompleteMultipartUpload><DaysAfterInitiation>%d</DaysAfterInitiation>"
                   "</AbortIncompleteMultipartUpload>",
                   r->abort_days);
    buf_puts(out, "</Rule>");
}

int s3_put_lifecycle(struct s3 *s, const struct s3_rule *rules, size_t n, bool *denied, struct err *err)
{
    struct s3_call c = {
        .what = "set the lifecycle of",
        .class = ERR_UPLOAD,
        .method = "PUT",
        .query = "lifecycle=",
    };
    struct s3_answer a = { 0 };
    struct buf body;
    int rc = -1;

    buf_init(&body, MAX_BODY);
    for (size_t i = 0; i < n; i++)
        if (rules[i].narrowed || rules[i].moves || rules[i].dated || rules[i].more) {
            err_set(err, ERR_CONFIG, "the lifecycle rule %s of s3://%s says more than sfb can write", rules[i].id,
                    s->bucket);
            err_hint(err, "add sfb's rules by hand, so that this one is kept as it is");
            goto out;
        }
    buf_puts(&body, "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < n; i++)
        write_rule(&body, &rules[i]);
    buf_puts(&body, "</LifecycleConfiguration>");
    if (buf_check(&body, err) < 0)
        goto out;
    c.body = body.data;
    c.body_size = body.size;
    rc = s3_call(s, &c, &a, err);
    if (denied)
        *denied = rc < 0 && s3_is_denied(&a);
out:
    buf_release(&body);
    s3_answer_release(&a);
    return rc;
}
