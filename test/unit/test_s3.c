/* SPDX-License-Identifier: PostgreSQL */
/* What of S3 is policy: ETags, sizes of parts, when to try again. */
#include "test/unit/unit.h"

#include <pthread.h>
#include "core/store/s3_parts.h"
#include "core/store/s3_upload.h"

/* ---- ETags ----------------------------------------------------------------------------------------------------- */

#define MD5_A "0cc175b9c0f1b6a831c399e269772661"
#define MD5_B "92eb5ffee6ae2fec3ad71c777531578f"

static void etags(void **state)
{
    char out[128];

    (void)state;
    s3_etag_copy(out, "\"" MD5_A "\"");
    assert_string_equal(out, MD5_A);
    s3_etag_copy(out, "W/\"x\"");
    assert_string_equal(out, "x");
    s3_etag_copy(out, NULL);
    assert_string_equal(out, "");
}

/* The MD5 of the MD5s of "a" and "b", as `printf a | md5sum` and xxd compute it. */
static void of_parts(void **state)
{
    static const uint8_t md5s[2][16] = {
        { 0x0c, 0xc1, 0x75, 0xb9, 0xc0, 0xf1, 0xb6, 0xa8, 0x31, 0xc3, 0x99, 0xe2, 0x69, 0x77, 0x26, 0x61 },
        { 0x92, 0xeb, 0x5f, 0xfe, 0xe6, 0xae, 0x2f, 0xec, 0x3a, 0xd7, 0x1c, 0x77, 0x75, 0x31, 0x57, 0x8f },
    };
    char out[128];

    (void)state;
    s3_etag_of_parts(out, md5s, 2);
    assert_string_equal(out, "96e024ba2074fe77e8e965ba43a704be-2");
}

static void proofs(void **state)
{
    enum store_proof proof;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(s3_etag_check(MD5_A, MD5_A, "AES256", &proof, &err), 0);
    assert_int_equal(proof, STORE_PROOF_ETAG);
    assert_int_equal(s3_etag_check("0CC175B9C0F1B6A831C399E269772661", MD5_A, "", &proof, &err), 0);
    assert_int_equal(s3_etag_check(MD5_B, MD5_A, "aws:kms", &proof, &err), 0);
    assert_int_equal(proof, STORE_PROOF_MD5);
    assert_int_equal(s3_etag_check("4-ab-not-an-md5", MD5_A, "", &proof, &err), 0);
    assert_int_equal(proof, STORE_PROOF_MD5);
    assert_int_equal(s3_etag_check(MD5_B, MD5_A, "AES256", &proof, &err), -1);
    assert_int_equal(err.class, ERR_UPLOAD);
    assert_int_equal(s3_etag_check(MD5_A "-2", MD5_A "-3", "", &proof, &err), -1);
}

/* ---- sizes of parts -------------------------------------------------------------------------------------------- */

static uint64_t capacity(const struct s3_plan *p)
{
    uint64_t sum = 0;

    for (unsigned i = 1; i <= p->max_parts; i++)
        sum += s3_plan_part_size(p, i);
    return sum;
}

static void plans(void **state)
{
    static const uint64_t sizes[] = { 0, 1, 5 << 20, 1ULL << 30, 80ULL << 30, 1ULL << 40, 5ULL << 40 };
    static const unsigned limits[] = { 10000, 1000, 100 };
    struct s3_plan p;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < sizeof limits / sizeof *limits; j++) {
            s3_plan_make(sizes[i], limits[j], 4, 0, &p);
            if (sizes[i] / limits[j] > (3ULL << 30))
                continue; /* no part may have more than 5 GiB: beyond what 100 parts can carry */
            assert_true(p.part_size >= S3_PART_LEAST && p.part_size <= S3_PART_MOST);
            assert_true(capacity(&p) >= sizes[i] + sizes[i] / 4);
            assert_true(p.part_size * (limits[j] - limits[j] / 4) >= sizes[i] + sizes[i] / 5); /* and those are alike */
            assert_int_equal(p.part_size % (1 << 20), 0);
        }
}

static void growth(void **state)
{
    struct s3_plan p;

    (void)state;
    s3_plan_make(1ULL << 30, 10000, 4, 0, &p);
    assert_int_equal(s3_plan_part_size(&p, 1), p.part_size);
    assert_int_equal(s3_plan_part_size(&p, 7500), p.part_size);
    assert_int_equal(s3_plan_part_size(&p, 7501), 2 * p.part_size);
    assert_true(capacity(&p) > 10 * 7500 * p.part_size);
    for (unsigned i = 2; i <= 10000; i++)
        assert_true(s3_plan_part_size(&p, i) >= s3_plan_part_size(&p, i - 1));
}

static void memory(void **state)
{
    struct s3_plan p;

    (void)state;
    for (uint64_t expected = 1; expected < (4000ULL << 30); expected = expected * 3 / 2 + (1 << 20)) {
        s3_plan_make(expected, 10000, 4, 96 << 20, &p);
        assert_true(p.threads >= 1);
        assert_true((1 + p.threads + p.spare) * p.part_size <= (96 << 20));
        assert_true(s3_plan_part_size(&p, 1) + s3_plan_part_size(&p, 10000) <= (96 << 20));
    }
    s3_plan_make(1ULL << 30, 10000, 4, 96 << 20, &p);
    assert_int_equal(p.threads, 4);
    s3_plan_make(300ULL << 30, 10000, 4, 96 << 20,
                 &p); /* parts so large that one is filled while one is sent, or less */
    assert_int_equal(p.threads, 1);
    assert_int_equal(p.spare, 0);
}

/* What store.h says. */
static void carried(void **state)
{
    struct s3_plan p;

    (void)state;
    s3_plan_make(468ULL << 30, 10000, 4, 96 << 20, &p);
    assert_int_equal(s3_plan_capacity(&p), capacity(&p));
    assert_int_equal(s3_plan_capacity(&p) >> 30, 468);
    s3_plan_make(5ULL << 40, 10000, 4, 0, &p);
    assert_true(s3_plan_capacity(&p) > (5ULL << 40));
}

/* ---- again? ---------------------------------------------------------------------------------------------------- */

static enum s3_verdict verdict(int status, const char *code)
{
    struct s3_answer a = { .http.status = status };

    snprintf(a.code, sizeof a.code, "%s", code);
    return s3_retry_verdict(&a);
}

static void verdicts(void **state)
{
    static const char *const final[] = { "AccessDenied",         "SignatureDoesNotMatch", "InvalidAccessKeyId",
                                         "RequestTimeTooSkewed", "NoSuchBucket",          "NoSuchKey",
                                         "NoSuchUpload",         "InvalidArgument",       "MethodNotAllowed" };
    struct s3_answer a = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof final / sizeof *final; i++)
        assert_int_equal(verdict(403, final[i]), S3_FINAL);
    assert_int_equal(verdict(503, "SlowDown"), S3_AGAIN);
    assert_int_equal(verdict(503, ""), S3_AGAIN);
    assert_int_equal(verdict(500, "InternalError"), S3_AGAIN);
    assert_int_equal(verdict(400, "RequestTimeout"), S3_AGAIN);
    assert_int_equal(verdict(200, "InternalError"), S3_AGAIN);              /* an error inside a good answer */
    assert_int_equal(verdict(409, "ConditionalRequestConflict"), S3_AGAIN); /* of a PUT: the next answer decides */
    assert_int_equal(verdict(409, "BucketAlreadyExists"), S3_FINAL);
    assert_int_equal(verdict(501, "NotImplemented"), S3_FINAL);
    assert_int_equal(verdict(507, "InsufficientStorage"), S3_FINAL);
    assert_int_equal(verdict(522, ""), S3_AGAIN); /* Cloudflare, before R2 */
    assert_int_equal(verdict(409, "ConditionalRequestConflict"), S3_AGAIN);
    assert_int_equal(verdict(403, "ExpiredToken"), S3_RENEW);
    assert_int_equal(verdict(301, "PermanentRedirect"), S3_MOVE);
    assert_int_equal(verdict(307, "TemporaryRedirect"), S3_MOVE);
    assert_int_equal(verdict(400, "AuthorizationHeaderMalformed"), S3_MOVE);
    a.http.trouble = HTTP_RESET;
    assert_int_equal(s3_retry_verdict(&a), S3_AGAIN);
    a.http.trouble = HTTP_TLS_EXPIRED;
    assert_int_equal(s3_retry_verdict(&a), S3_FINAL);
    a.http.trouble = HTTP_NO_HOST;
    assert_int_equal(s3_retry_verdict(&a), S3_FINAL);
    a.http.trouble = HTTP_NO_DNS;
    assert_int_equal(s3_retry_verdict(&a), S3_AGAIN);
}

static void pauses(void **state)
{
    (void)state;
    for (unsigned tries = 1; tries < 40; tries++) {
        double low = s3_retry_delay(tries, 0, -1), high = s3_retry_delay(tries, 0.999, -1);

        assert_true(low > 0.1 && low < high && high <= 20);
        assert_true(high <= s3_retry_delay(tries + 1, 0.999, -1));
    }
    assert_true(s3_retry_delay(1, 0.999, -1) < 0.3);
    assert_true(s3_retry_delay(1, 0, 7) >= 7 && s3_retry_delay(1, 0.999, 7) < 8);
    assert_true(s3_retry_delay(1, 0, 1e9) <= 300);
}

static void retry_after(void **state)
{
    (void)state;
    assert_true(s3_retry_after("3", 0) == 3);
    assert_true(s3_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 - 5) == 5);
    assert_true(s3_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 + 5) == 0);
    assert_true(s3_retry_after(NULL, 0) < 0 && s3_retry_after("", 0) < 0 && s3_retry_after("soon", 1) < 0);
    assert_true(s3_retry_after("-5", 0) < 0);
}

/* ---- elsewhere --------------------------------------------------------------------------------------------------- */

static struct s3 *open_bucket(void)
{
    struct store_params p = { .endpoint = "https://s3.example.org", .region = "us-east-1", .addressing = "path" };
    struct err err = { 0 };
    struct s3 *s = s3_open("bucket", &p, &err);

    if (s == NULL)
        fail_msg("%s", err.message);
    return s;
}

/* Of several requests that go to the wrong region at once, only the first one's answer is news. */
static void region_learned(void **state)
{
    struct s3_call c = { .what = "write", .class = ERR_UPLOAD, .method = "PUT", .key = "k" };
    struct s3_answer a = {
        .http.status = 301, .code = "PermanentRedirect", .region = "eu-central-1", .signed_for = "us-east-1"
    };
    struct s3 *s = open_bucket();

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct s3_trouble t = { 0 };
        struct err err = { .class = ERR_UPLOAD };

        assert_int_equal(s3_again(s, &c, &t, &a, &err), 0);
        assert_int_equal(err.class, ERR_NONE);
        assert_int_equal(s3_again(s, &c, &t, &a, &err), -1); /* once each */
    }
    memcpy(a.signed_for, "eu-central-1", sizeof "eu-central-1");
    assert_int_equal(s3_again(s, &c, &(struct s3_trouble){ 0 }, &a, &(struct err){ .class = ERR_UPLOAD }), -1);
    s3_close(s);
}

static void check_address(struct s3 *s, const char *redirect, const char *expected)
{
    struct buf url, host, path;
    struct err err = { 0 };
    char region[64];

    buf_init(&url, 1000);
    buf_init(&host, 1000);
    buf_init(&path, 1000);
    assert_int_equal(s3_address(s, redirect, "a/b c", &url, &host, &path, region, &err), 0);
    assert_string_equal(url.data, expected);
    buf_release(&url);
    buf_release(&host);
    buf_release(&path);
}

/* Else the object would be named BUCKET/a/b. */
static void redirect_names_bucket(void **state)
{
    struct s3 *s = open_bucket();

    (void)state;
    check_address(s, NULL, "https://s3.example.org/bucket/a/b%20c");
    check_address(s, "https://s3.eu.example.org", "https://s3.eu.example.org/bucket/a/b%20c");
    check_address(s, "https://bucket.s3.eu.example.org", "https://bucket.s3.eu.example.org/a/b%20c");
    s3_close(s);
}

static void no_secret(void **state)
{
    struct store_params p = { .endpoint = "https://clerk:sesame@s3.example.org" };
    struct err err = { 0 };

    (void)state;
    assert_null(s3_open("bucket", &p, &err));
    assert_int_equal(err.class, ERR_CONFIG);
    assert_null(strstr(err.message, "sesame"));
    assert_non_null(strstr(err.message, "s3.example.org"));
}

/* ---- parts on their way ------------------------------------------------------------------------------------------ */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned sent, fail_at;

static int send_one(void *cookie, struct part *p, struct err *err)
{
    (void)cookie;
    if (p->number == fail_at)
        return err_set(err, ERR_UPLOAD, "part %u fails", p->number);
    pthread_mutex_lock(&lock);
    sent++;
    pthread_mutex_unlock(&lock);
    return 0;
}

static int send_many(unsigned n, struct err *err)
{
    struct s3_parts *s = s3_parts_new(3, 4, 0, send_one, NULL, err);
    int rc = 0;

    sent = 0;
    for (unsigned i = 1; i <= n && rc == 0; i += 2) { /* two are held at once */
        struct part *a = s3_parts_take(s, 0, err), *b = a ? s3_parts_take(s, 0, err) : NULL;

        if (a) {
            a->number = i;
            s3_parts_send(s, a);
        }
        if (b) {
            b->number = i + 1;
            s3_parts_send(s, b);
        }
        rc = a && b ? 0 : -1;
    }
    if (rc == 0)
        rc = s3_parts_wait(s, err);
    s3_parts_free(s);
    return rc;
}

static void all_sent(void **state)
{
    struct err err = { 0 };

    (void)state;
    fail_at = 0;
    assert_int_equal(send_many(500, &err), 0);
    assert_int_equal(sent, 500);
}

static void one_fails(void **state)
{
    (void)state;
    for (fail_at = 1; fail_at < 40; fail_at += 3) {
        struct err err = { 0 };

        assert_int_equal(send_many(40, &err), -1);
        assert_true(strstr(err.message, "fails") != NULL);
        assert_true(sent < 40);
    }
}

/* All parts that there ever are: how much room they have together. */
#define ROOM 1000
static struct part *seen[16];
static uint64_t most;

/* Rooms change in s3_parts_take alone, so whoever takes may look at them. */
static void weigh(struct part *p)
{
    uint64_t sum = 0;
    size_t i = 0;

    while (seen[i] != NULL && seen[i] != p)
        i++;
    seen[i] = p;
    for (i = 0; seen[i] != NULL; i++)
        sum += seen[i]->room;
    most = sum > most ? sum : most;
}

static void growing_parts(void **state)
{
    struct err err = { 0 };
    struct s3_parts *s = s3_parts_new(3, 8, 8 * ROOM, send_one, NULL, &err);

    (void)state;
    sent = fail_at = 0;
    for (unsigned i = 0; i < 300; i++) {
        uint64_t room = (i < 100 ? 1 : i < 200 ? 3 : 8) * ROOM;
        struct part *p = s3_parts_take(s, room, &err);

        assert_non_null(p);
        assert_true(p->room >= room);
        weigh(p);
        p->number = i + 1;
        memset(p->bytes, 'x', room);
        s3_parts_send(s, p);
    }
    assert_int_equal(s3_parts_wait(s, &err), 0);
    s3_parts_free(s);
    assert_int_equal(sent, 300);
    assert_true(most <= 8 * ROOM);
    assert_true(most >= 2 * ROOM); /* it did hold more than one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("an ETag loses its quotes", etags),
        PROMISE("a multipart ETag is the MD5 of the parts' MD5s and their number", of_parts),
        PROMISE("an ETag that is an MD5 must be ours; one that is none proves nothing", proofs),
        PROMISE("parts are large enough for what is expected and more, whatever the limit", plans),
        PROMISE("parts are alike until three quarters are used, then they grow", growth),
        PROMISE("buffers keep within the memory that is given", memory),
        PROMISE("what a stream can carry in its memory is known before", carried),
        PROMISE("what passes is tried again, what can't succeed is not", verdicts),
        PROMISE("the region is followed, also when another request has learned it first", region_learned),
        PROMISE("a redirect to the bucket's own host names it in the host alone", redirect_names_bucket),
        PROMISE("a password in an endpoint is refused, and not repeated", no_secret),
        PROMISE("pauses grow, differ, and end; Retry-After is honoured", pauses),
        PROMISE("Retry-After is seconds or a date", retry_after),
        PROMISE("all parts are sent, whoever holds some", all_sent),
        PROMISE("parts that grow never take more memory together than they may", growing_parts),
        PROMISE("one part that fails ends it, and is named", one_fails),
    };
    return RUN_PROMISES(tests);
}
