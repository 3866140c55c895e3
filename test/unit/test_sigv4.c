/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/store/sigv4.h"

/* ---- AWS's own test suite (aws-sig-v4-test-suite): signatures as published ---------------------------------------- */

#define SUITE_TIME 1440938160 /* 20150830T123600Z */
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const struct sigv4_key suite_key = { "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL };

static struct sigv4_request suite(const char *method, const char *path, const char *query,
                                  const struct sigv4_header *headers, size_t n, const char *body)
{
    static char hash[65];

    sigv4_sha256_hex(hash, body, strlen(body));
    return (struct sigv4_request){
        .method = method,
        .path = path,
        .query = query,
        .headers = headers,
        .n_headers = n,
        .payload_hash = hash,
        .region = "us-east-1",
        .service = "service",
        .now = SUITE_TIME,
    };
}

static void check(const struct sigv4_request *r, const struct sigv4_key *key, const char *scope, const char *names,
                  const char *signature)
{
    struct err err = { 0 };
    char expected[1024];
    struct buf out;

    buf_init(&out, 4096);
    snprintf(expected, sizeof expected, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", key->id,
             scope, names, signature);
    assert_int_equal(sigv4_authorization(r, key, &out, &err), 0);
    assert_string_equal(out.data, expected);
    buf_release(&out);
}

#define SUITE_SCOPE "20150830/us-east-1/service/aws4_request"
#define HOST                            \
    {                                   \
        "Host", "example.amazonaws.com" \
    }
#define DATE                             \
    {                                    \
        "X-Amz-Date", "20150830T123600Z" \
    }
#define COUNT(a) (sizeof(a) / sizeof *(a))

static void vanilla(void **state)
{
    const struct sigv4_header headers[] = { HOST, DATE };
    struct sigv4_request r = suite("GET", "/", NULL, headers, COUNT(headers), "");
    struct err err = { 0 };
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(sigv4_canonical(&r, &out, &err), 0);
    assert_string_equal(
        out.data, "GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n" EMPTY_HASH);
    buf_reset(&out);
    assert_int_equal(sigv4_string_to_sign(&r, &out, &err), 0);
    assert_string_equal(out.data, "AWS4-HMAC-SHA256\n20150830T123600Z\n" SUITE_SCOPE "\n"
                                  "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63");
    buf_release(&out);
    check(&r, &suite_key, SUITE_SCOPE, "host;x-amz-date",
          "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    r.method = "POST";
    check(&r, &suite_key, SUITE_SCOPE, "host;x-amz-date",
          "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

static void queries(void **state)
{
    const struct sigv4_header headers[] = { HOST, DATE };
    struct sigv4_request r = suite("GET", "/", "Param2=value2&Param1=value1", headers, 2, "");
    static const char plain[] = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char query[200];

    (void)state;
    check(&r, &suite_key, SUITE_SCOPE, "host;x-amz-date",
          "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
    r.query = "Param1=value2&Param1=Value1";
    check(&r, &suite_key, SUITE_SCOPE, "host;x-amz-date",
          "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1");
    snprintf(query, sizeof query, "%s=%s", plain, plain);
    r.query = query;
    check(&r, &suite_key, SUITE_SCOPE, "host;x-amz-date",
          "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197");
}

static void paths(void **state)
{
    const struct sigv4_header headers[] = { HOST, DATE };
    struct sigv4_request r = suite("GET", NULL, NULL, headers, 2, "");
    struct buf path;

    (void)state;
    buf_init(&path, 200);
    sigv4_encode(&path, "/\u1234", true);
    assert_string_equal(path.data, "/%E1%88%B4");
    r.path = path.data;
    check(&r, &suite_key, SUITE_SCOPE, "host;x-amz-date",
          "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
    buf_reset(&path);
    sigv4_encode(&path, "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", true);
    r.path = path.data;
    check(&r, &suite_key, SUITE_SCOPE, "host;x-amz-date",
          "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f");
    buf_release(&path);
}

static void trimmed_headers(void **state)
{
    const struct sigv4_header headers[] = {
        HOST,
        { "My-Header1", " value1" },
        { "My-Header2", " \"a   b   c\"" },
        DATE,
    };
    struct sigv4_request r = suite("GET", "/", NULL, headers, COUNT(headers), "");

    (void)state;
    check(&r, &suite_key, SUITE_SCOPE, "host;my-header1;my-header2;x-amz-date",
          "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

static void repeated_headers(void **state)
{
    const struct sigv4_header headers[] = {
        HOST, { "My-Header1", "value2" }, { "My-Header1", "value2" }, { "My-Header1", "value1" }, DATE,
    };
    struct sigv4_request r = suite("GET", "/", NULL, headers, COUNT(headers), "");

    (void)state;
    check(&r, &suite_key, SUITE_SCOPE, "host;my-header1;x-amz-date",
          "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
}

static void form(void **state)
{
    const struct sigv4_header headers[] = { { "Content-Type", "application/x-www-form-urlencoded" }, HOST, DATE };
    struct sigv4_request r = suite("POST", "/", NULL, headers, COUNT(headers), "Param1=value1");

    (void)state;
    check(&r, &suite_key, SUITE_SCOPE, "content-type;host;x-amz-date",
          "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

static void session_token(void **state)
{
    static const char token[] =
        "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7"
        "mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d"
        "+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
    const struct sigv4_header headers[] = { HOST, DATE, { "X-Amz-Security-Token", token } };
    struct sigv4_request r = suite("POST", "/", NULL, headers, COUNT(headers), "");

    (void)state;
    check(&r, &suite_key, SUITE_SCOPE, "host;x-amz-date;x-amz-security-token",
          "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead");
}

/* ---- S3's examples (Amazon S3 API reference, "Signature calculations ... Authorization header") -------------------- */

#define S3_SCOPE "20130524/us-east-1/s3/aws4_request"

static const struct sigv4_key s3_key = { "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL };

static struct sigv4_request s3(const char *method, const char *path, const char *query, const char *hash,
                               const struct sigv4_header *headers, size_t n)
{
    return (struct sigv4_request){
        .method = method,
        .path = path,
        .query = query,
        .headers = headers,
        .n_headers = n,
        .payload_hash = hash,
        .region = "us-east-1",
        .service = "s3",
        .now = 1369353600,
    };
}

#define S3_HOST                                  \
    {                                            \
        "host", "examplebucket.s3.amazonaws.com" \
    }
#define S3_DATE                          \
    {                                    \
        "x-amz-date", "20130524T000000Z" \
    }
#define S3_HASH(hash)                \
    {                                \
        "x-amz-content-sha256", hash \
    }

static void s3_get(void **state)
{
    const struct sigv4_header headers[] = { S3_HOST, { "Range", "bytes=0-9" }, S3_HASH(EMPTY_HASH), S3_DATE };
    struct sigv4_request r = s3("GET", "/test.txt", NULL, EMPTY_HASH, headers, COUNT(headers));

    (void)state;
    check(&r, &s3_key, S3_SCOPE, "host;range;x-amz-content-sha256;x-amz-date",
          "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void s3_put(void **state)
{
    char hash[65];
    const struct sigv4_header headers[] = {
        { "Date", "Fri, 24 May 2013 00:00:00 GMT" },     S3_HOST,       S3_DATE,
        { "x-amz-storage-class", "REDUCED_REDUNDANCY" }, S3_HASH(hash),
    };
    struct sigv4_request r = s3("PUT", "/test%24file.text", NULL, hash, headers, COUNT(headers));

    (void)state;
    sigv4_sha256_hex(hash, "Welcome to Amazon S3.", 21);
    assert_string_equal(hash, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
    check(&r, &s3_key, S3_SCOPE, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
          "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void s3_queries(void **state)
{
    const struct sigv4_header headers[] = { S3_HOST, S3_HASH(EMPTY_HASH), S3_DATE };
    struct sigv4_request r = s3("GET", "/", "lifecycle", EMPTY_HASH, headers, COUNT(headers));

    (void)state;
    check(&r, &s3_key, S3_SCOPE, "host;x-amz-content-sha256;x-amz-date",
          "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    r.query = "prefix=J&max-keys=2";
    check(&r, &s3_key, S3_SCOPE, "host;x-amz-content-sha256;x-amz-date",
          "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

/* ---- our own --------------------------------------------------------------------------------------------------- */

static void encoding(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 200);
    sigv4_encode(&out, "a b/c+d=e&f%g\n~", true);
    assert_string_equal(out.data, "a%20b/c%2Bd%3De%26f%25g%0A~");
    buf_reset(&out);
    sigv4_encode(&out, "a/\xFF", false);
    assert_string_equal(out.data, "a%2F%FF");
    buf_release(&out);
}

/* Names that are each other's beginning: "=" sorts behind digits, a name's end before all. */
static void prefixes(void **state)
{
    const struct sigv4_header headers[] = { { "host", "h" } };
    struct sigv4_request r = s3("GET", "/", "a1=x&a=y&a-b&&a=b", EMPTY_HASH, headers, 1);
    struct err err = { 0 };
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    assert_int_equal(sigv4_canonical(&r, &out, &err), 0);
    assert_non_null(strstr(out.data, "\na=b&a=y&a-b=&a1=x\n"));
    buf_release(&out);
}

static void too_much(void **state)
{
    struct sigv4_header headers[SIGV4_MAX_HEADERS + 1];
    struct sigv4_request r = s3("GET", "/", NULL, EMPTY_HASH, headers, COUNT(headers));
    char secret[400], query[400] = "";
    struct sigv4_key key = { "id", secret, NULL };
    struct err err = { 0 };
    struct buf out;

    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++)
        headers[i] = (struct sigv4_header){ "a", "b" };
    memset(secret, 'x', sizeof secret);
    secret[sizeof secret - 1] = '\0';
    buf_init(&out, 1000);
    assert_int_equal(sigv4_authorization(&r, &key, &out, &err), -1);
    r.n_headers = 1;
    err_clear(&err);
    assert_int_equal(sigv4_authorization(&r, &key, &out, &err), -1); /* the secret */
    assert_int_equal(err.class, ERR_CONFIG);
    for (int i = 0; i < 99; i++)
        memcpy(query + 3 * i, "a=&", 3);
    r.query = query;
    err_clear(&err);
    key.secret = "short";
    assert_int_equal(sigv4_authorization(&r, &key, &out, &err), -1);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("AWS's vectors: a plain GET and POST, step by step", vanilla),
        PROMISE("AWS's vectors: queries in the order of names and values, unreserved characters", queries),
        PROMISE("AWS's vectors: paths in UTF-8", paths),
        PROMISE("AWS's vectors: spaces in headers", trimmed_headers),
        PROMISE("AWS's vectors: a header several times", repeated_headers),
        PROMISE("AWS's vectors: a form with a body", form),
        PROMISE("AWS's vectors: a session token", session_token),
        PROMISE("S3's examples: GET with a range", s3_get),
        PROMISE("S3's examples: PUT with a body and an encoded key", s3_put),
        PROMISE("S3's examples: lifecycle and listing", s3_queries),
        PROMISE("everything but unreserved characters is percent-encoded, slashes as asked", encoding),
        PROMISE("names that begin alike are in the order of AWS", prefixes),
        PROMISE("what is too much or too long is refused, not cut", too_much),
    };
    return RUN_PROMISES(tests);
}
