/* SPDX-License-Identifier: PostgreSQL */
/* s3.c - a bucket: which endpoint, which region, which way of writing its address. */
#include "core/store/s3.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/io/http_trouble.h"
#include "core/store/s3_impl.h"

#define DEFAULT_REGION "us-east-1"

time_t s3_now(const struct s3 *s)
{
    return s->params.now ? s->params.now() : time(NULL);
}

/* ---- the endpoint -------------------------------------------------------------------------------------------- */

static bool is_true(const char *name)
{
    const char *value = getenv(name);

    return value && strcasecmp(value, "true") == 0;
}

/* AWS's own, of a region. */
static void set_aws_endpoint(struct s3 *s)
{
    const char *suffix = text_starts(s->region, "cn-") ? ".cn" : "";

    snprintf(s->endpoint, sizeof s->endpoint, "https://s3%s%s.%s.amazonaws.com%s",
             is_true("AWS_USE_FIPS_ENDPOINT") ? "-fips" : "", is_true("AWS_USE_DUALSTACK_ENDPOINT") ? ".dualstack" : "",
             s->region, suffix);
}

static atomic_bool warned_of_http;

/* scheme://host[:port], nothing behind it, no default port: the Host header must be what was signed. */
static int set_own_endpoint(struct s3 *s, const char *url, const char *origin, struct err *err)
{
    const char *host = strstr(url, "://");
    char name[256];
    size_t n;

    if (!host || (strncasecmp(url, "https://", 8) != 0 && !http_is_plain(url))) {
        err_set(err, ERR_CONFIG, "%s is no endpoint: %s", origin, url);
        err_hint(err, "an endpoint looks like https://s3.example.org or https://s3.example.org:9000");
        return -1;
    }
    host += 3;
    n = strcspn(host, "/?#");
    if (n == 0 || memchr(host, '@', n) || (host[n] && strspn(host + n, "/") != strlen(host + n)) ||
        (size_t)(host - url) + n >= sizeof s->endpoint) {
        if (memchr(host, '@', n))
            err_set(err, ERR_CONFIG, "%s is no endpoint: it has a name or a password for %s", origin,
                    http_trouble_host(name, url));
        else
            err_set(err, ERR_CONFIG, "%s is no endpoint: %s", origin, url);
        err_hint(err, "only scheme, host and port: the bucket is named in s3://BUCKET, credentials elsewhere");
        return -1;
    }
    snprintf(s->endpoint, sizeof s->endpoint, "%.*s", (int)((size_t)(host - url) + n), url);
    for (char *c = s->endpoint; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (text_ends(s->endpoint, http_is_plain(url) ? ":80" : ":443"))
        *strrchr(s->endpoint, ':') = '\0';
    if (!http_is_plain(url) || http_is_loopback(url))
        return 0;
    if (!s->params.allow_http) {
        err_set(err, ERR_CONFIG, "%s would be spoken to without encryption (%s)", s->endpoint, origin);
        err_hint(err, "use https://; SFB_S3_ALLOW_HTTP=1 allows http://, where everybody on the way can read backups");
        return -1;
    }
    if (!atomic_exchange(&warned_of_http, true)) /* not for each store of a run */
        log_warn("%s is spoken to without encryption (SFB_S3_ALLOW_HTTP): everybody on the way can read and change "
                 "backups",
                 s->endpoint);
    return 0;
}

static int find_endpoint(struct s3 *s, struct err *err)
{
    const char *url = s->params.endpoint;
    char host[256];

    if (url)
        snprintf(s->endpoint_origin, sizeof s->endpoint_origin, "the settings");
    else
        url = awsconf_s3_endpoint(s->conf, s->endpoint_origin);
    if (url) {
        if (set_own_endpoint(s, url, s->endpoint_origin, err) < 0)
            return -1;
        http_trouble_host(host, s->endpoint);
        s->aws = text_ends(host, ".amazonaws.com") || text_ends(host, ".amazonaws.com.cn");
        return 0;
    }
    s->aws = s->by_region = true;
    set_aws_endpoint(s);
    snprintf(s->endpoint_origin, sizeof s->endpoint_origin, "AWS, by the region");
    return 0;
}

static int find_region(struct s3 *s, struct err *err)
{
    const char *region = s->params.region;

    snprintf(s->region_origin, sizeof s->region_origin, "the settings");
    if (!region)
        region = awsconf_region(s->conf, s->region_origin);
    if (!region) {
        region = DEFAULT_REGION;
        snprintf(s->region_origin, sizeof s->region_origin, "nobody has said: the default");
    }
    if (strlen(region) >= sizeof s->region ||
        strspn(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(region))
        return err_set(err, ERR_CONFIG, "not a region: %s (from %s)", region, s->region_origin);
    snprintf(s->region, sizeof s->region, "%s", region);
    return 0;
}

/* ---- addressing ---------------------------------------------------------------------------------------------- */

/* Can it be one label of a host name, so that a certificate for *.host fits? */
static bool is_label(const char *bucket)
{
    size_t n = strlen(bucket);

    return n >= 3 && n <= 63 && strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && bucket[0] != '-' &&
           bucket[n - 1] != '-';
}

static int find_addressing(struct s3 *s, struct err *err)
{
    const char *how = s->params.addressing;

    if (!how)
        how = awsconf_get(s->conf, awsconf_profile(s->conf), "s3.addressing_style", NULL);
    if (!how || strcmp(how, "auto") == 0)
        s->path_style = !s->aws || !is_label(s->bucket);
    else if (strcmp(how, "path") == 0 || strcmp(how, "virtual") == 0)
        s->path_style = *how == 'p';
    else
        return err_set(err, ERR_CONFIG, "there is no addressing %s: auto, path, virtual", how);
    return 0;
}

static int check_bucket(const char *bucket, struct err *err)
{
    size_t n = strlen(bucket);

    if (n >= 3 && n <= 255 && isalnum((unsigned char)bucket[0]) &&
        strspn(bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == n &&
        !strstr(bucket, ".."))
        return 0;
    err_set(err, ERR_CONFIG, "not the name of a bucket: %s", bucket);
    err_hint(err, "3 to 63 lower-case letters, digits, dots and dashes: s3://BUCKET/PREFIX");
    return -1;
}

int s3_address(struct s3 *s, const char *endpoint, const char *key, struct buf *url, struct buf *host, struct buf *path,
               char region[64], struct err *err)
{
    const char *from, *bucket = s->path_style ? "" : s->bucket, *dot = s->path_style ? "" : ".";
    bool in_path = s->path_style;
    char base[S3_TEXT];

    pthread_mutex_lock(&s->lock);
    snprintf(base, sizeof base, "%s", endpoint ? endpoint : s->endpoint);
    snprintf(region, 64, "%s", s->region);
    pthread_mutex_unlock(&s->lock);
    from = strstr(base, "://") + 3;
    if ((!s->path_style || endpoint) && text_starts(from, s->bucket) && from[strlen(s->bucket)] == '.') {
        bucket = dot = ""; /* a redirect names the whole host, bucket and all */
        in_path = false;
    }
    buf_printf(host, "%s%s%s", bucket, dot, from);
    if (in_path)
        buf_printf(path, "/%s", s->bucket);
    buf_putc(path, '/');
    if (key)
        sigv4_encode(path, key, true);
    else if (in_path)
        buf_cut(path, path->size - 1);
    buf_printf(url, "%.*s%s%s", (int)(from - base), base, host->data, path->data);
    return buf_check(host, err) < 0 || buf_check(path, err) < 0 || buf_check(url, err) < 0 ? -1 : 0;
}

bool s3_set_region(struct s3 *s, const char *region)
{
    bool changed;

    pthread_mutex_lock(&s->lock);
    changed = strcmp(s->region, region) != 0 && strlen(region) < sizeof s->region;
    if (changed) {
        snprintf(s->region, sizeof s->region, "%s", region);
        snprintf(s->region_origin, sizeof s->region_origin, "the server");
        if (s->by_region)
            set_aws_endpoint(s);
    }
    pthread_mutex_unlock(&s->lock);
    return changed;
}

bool s3_signs_bodies(const struct s3 *s)
{
    return http_is_plain(s->endpoint);
}

bool s3_add_sse(const struct s3 *s, struct sigv4_header *headers, size_t *n)
{
    if (s->params.sse == STORE_SSE_NONE)
        return false;
    headers[*n].name = "x-amz-server-side-encryption";
    headers[(*n)++].value = s->params.sse == STORE_SSE_KMS ? "aws:kms" : "AES256";
    if (s->params.sse == STORE_SSE_KMS && s->kms_key_id) {
        headers[*n].name = "x-amz-server-side-encryption-aws-kms-key-id";
        headers[(*n)++].value = s->kms_key_id;
    }
    return true;
}

/* ---- open and close ------------------------------------------------------------------------------------------ */

static int find_creds(struct s3 *s, struct err *err)
{
    struct awscreds_params p = { .conf = s->conf, .region = s->params.region, .http = s->http, .now = s->params.now };

    s->creds = awscreds_new(&p, err);
    return s->creds ? 0 : -1;
}

static int find_all(struct s3 *s, struct err *err)
{
    const char *bundle = s->params.ca_bundle;

    s->conf = awsconf_load(err);
    if (!s->conf || find_region(s, err) < 0 || find_endpoint(s, err) < 0 || find_addressing(s, err) < 0)
        return -1;
    if (!bundle)
        bundle = awsconf_ca_bundle(s->conf, NULL);
    if (bundle && !(s->ca_bundle = strdup(bundle)))
        return err_no_memory(err);
    s->http.ca_bundle = s->ca_bundle;
    s->http.allow_http = s->params.allow_http;
    s->http.stall_seconds = s->params.stall_seconds;
    return find_creds(s, err);
}

struct s3 *s3_open(const char *bucket, const struct store_params *p, struct err *err)
{
    struct s3 *s = NULL;

    if (check_bucket(bucket, err) < 0 || http_setup(err) < 0)
        return NULL;
    s = calloc(1, sizeof *s);
    if (!s) {
        err_no_memory(err);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    s->params = *p;
    if (s->params.retry_seconds == 0)
        s->params.retry_seconds = STORE_RETRY_SECONDS;
    s->bucket = strdup(bucket);
    s->kms_key_id = p->kms_key_id && *p->kms_key_id ? strdup(p->kms_key_id) : NULL;
    if (!s->bucket || (p->kms_key_id && *p->kms_key_id && !s->kms_key_id)) {
        err_no_memory(err);
        goto fail;
    }
    if (find_all(s, err) < 0)
        goto fail;
    s->params.endpoint = s->params.region = s->params.addressing = s->params.ca_bundle = s->params.kms_key_id = NULL;
    return s;
fail:
    s3_close(s);
    return NULL;
}

void s3_close(struct s3 *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->clients_n; i++)
        http_free(s->clients[i]);
    awscreds_free(s->creds);
    awsconf_free(s->conf);
    pthread_mutex_destroy(&s->lock);
    free(s->ca_bundle);
    free(s->kms_key_id);
    free(s->bucket);
    free(s);
}

/* ---- clients ------------------------------------------------------------------------------------------------- */

struct http *s3_client_take(struct s3 *s, struct err *err)
{
    struct http *h = NULL;

    pthread_mutex_lock(&s->lock);
    if (s->clients_n > 0)
        h = s->clients[--s->clients_n];
    pthread_mutex_unlock(&s->lock);
    return h ? h : http_new(&s->http, err);
}

void s3_client_give(struct s3 *s, struct http *h)
{
    bool kept;

    pthread_mutex_lock(&s->lock);
    kept = s->clients_n < S3_CLIENTS;
    if (kept)
        s->clients[s->clients_n++] = h;
    pthread_mutex_unlock(&s->lock);
    if (!kept)
        http_free(h);
}

/* ---- what doctor asks ---------------------------------------------------------------------------------------- */

const char *s3_bucket(const struct s3 *s)
{
    return s->bucket;
}

const char *s3_endpoint(const struct s3 *s)
{
    return s->endpoint;
}

const char *s3_endpoint_origin(const struct s3 *s)
{
    return s->endpoint_origin;
}

const char *s3_region_origin(const struct s3 *s)
{
    return s->region_origin;
}

bool s3_is_path_style(const struct s3 *s)
{
    return s->path_style;
}

int s3_region(struct s3 *s, struct buf *out, struct err *err)
{
    pthread_mutex_lock(&s->lock);
    buf_puts(out, s->region);
    pthread_mutex_unlock(&s->lock);
    return buf_check(out, err);
}

struct awscreds *s3_creds(struct s3 *s)
{
    return s->creds;
}

bool s3_hides_deleted(const struct s3 *s)
{
    return atomic_load(&s->hides);
}
