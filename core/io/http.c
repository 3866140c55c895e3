/* SPDX-License-Identifier: PostgreSQL */
#include "core/io/http.h"

#include <ctype.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/io/http_trouble.h"
#include "core/io/tls.h"
#include "version.h"

#define MAX_HEADERS (64 * 1024)
#define MAX_BODY (64 * 1024)
#define UPLOAD_BUFFER (256 * 1024)
#define RECEIVE_BUFFER (256 * 1024)

struct http {
    CURL *curl;
    struct http_params params;
    char *ca_bundle;
    char detail[CURL_ERROR_SIZE];
    struct http_trouble_facts facts;
    /* of the request that runs */
    const struct http_request *q;
    struct http_response *a;
    struct err *err;
    uint64_t sent;
    uint64_t moved;  /* bytes in both directions when last looked at, */
    double moved_at; /* and since when it is so many */
    bool stalled;
    bool own;       /* err is ours: interrupt, sink, file */
    bool cancelled; /* *q->cancel */
    bool garbled;   /* more than it may be */
};

/* ---- set up, once -------------------------------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode once_result;

static void set_up(void)
{
    once_result = curl_global_init(CURL_GLOBAL_ALL);
}

int http_setup(struct err *err)
{
    pthread_once(&once, set_up);
    if (once_result != CURLE_OK)
        return err_set(err, ERR_INTERNAL, "libcurl can't be set up: %s", curl_easy_strerror(once_result));
    return 0;
}

struct http *http_new(const struct http_params *p, struct err *err)
{
    struct http *h = NULL;

    if (http_setup(err) < 0)
        return NULL;
    h = calloc(1, sizeof *h);
    if (!h || !(h->curl = curl_easy_init()))
        goto fail;
    h->params = *p;
    h->params.ca_bundle = NULL;
    if (p->ca_bundle && !(h->ca_bundle = strdup(p->ca_bundle)))
        goto fail;
    return h;
fail:
    http_free(h);
    err_no_memory(err);
    return NULL;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->curl);
    free(h->ca_bundle);
    free(h);
}

/* ---- URLs ---------------------------------------------------------------------------------------------------- */

bool http_is_plain(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0;
}

bool http_is_loopback(const char *url)
{
    char host[256];
    size_t n;

    http_trouble_host(host, url);
    if (host[0] == '[')
        return strncmp(host, "[::1]", 5) == 0;
    n = strcspn(host, ":");
    host[n] = '\0';
    if (strspn(host, "0123456789.") == n)
        return strncmp(host, "127.", 4) == 0;
    return strcasecmp(host, "localhost") == 0 || (n > 10 && strcasecmp(host + n - 10, ".localhost") == 0);
}

static int check_url(const struct http *h, const char *url, struct err *err)
{
    char host[256];

    if (strncasecmp(url, "https://", 8) == 0)
        return 0;
    if (!http_is_plain(url))
        return err_set(err, ERR_CONFIG, "not a URL for HTTPS: %s", url);
    if (h->params.allow_http || http_is_loopback(url))
        return 0;
    err_set(err, ERR_CONFIG, "%s would be spoken to without encryption", http_trouble_host(host, url));
    err_hint(
        err,
        "use https://; SFB_S3_ALLOW_HTTP=1 allows http://, where everybody on the way can read and change backups");
    return -1;
}

/* ---- what libcurl calls -------------------------------------------------------------------------------------- */

static size_t on_header(char *line, size_t one, size_t n, void *cookie)
{
    struct http *h = cookie;
    struct buf *out = &h->a->headers;
    size_t size = one * n, length = size;
    char *colon;

    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    if (length >= 5 && strncmp(line, "HTTP/", 5) == 0) { /* an answer of its own: after 100 Continue, say */
        buf_reset(out);
        return size;
    }
    colon = memchr(line, ':', length);
    if (!colon)
        return size;
    buf_add(out, line, length);
    buf_putc(out, '\0');
    if (out->failed)
        h->garbled = true;
    return out->failed ? 0 : size;
}

static size_t on_body(char *bytes, size_t one, size_t n, void *cookie)
{
    struct http *h = cookie;
    size_t size = one * n;
    long status = 0;

    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    h->a->received += size;
    if (h->q->sink && status >= 200 && status < 300) {
        if (h->q->sink(h->q->cookie, bytes, size, h->err) < 0) {
            h->own = true;
            return 0;
        }
        return size;
    }
    buf_add(&h->a->body, bytes, size);
    if (h->a->body.failed)
        h->garbled = true;
    return h->a->body.failed ? 0 : size;
}

static size_t on_read(char *out, size_t one, size_t n, void *cookie)
{
    struct http *h = cookie;
    uint64_t left = h->q->body_size - h->sent;
    size_t room = one * n, want = left < room ? (size_t)left : room;
    ssize_t got;

    if (want == 0)
        return 0;
    if (h->q->body) {
        memcpy(out, (const char *)h->q->body + h->sent, want);
        h->sent += want;
        return want;
    }
    got = os_pread(h->q->fd, out, want, h->q->offset + h->sent, "the file to send", h->err);
    if (got > 0) {
        h->sent += (uint64_t)got;
        return (size_t)got;
    }
    if (got == 0)
        err_set(h->err, ERR_IO, "the file to send has become shorter");
    h->own = true;
    return CURL_READFUNC_ABORT;
}

static int on_seek(void *cookie, curl_off_t offset, int origin)
{
    struct http *h = cookie;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > h->q->body_size)
        return CURL_SEEKFUNC_FAIL;
    h->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* libcurl's own watch over the speed sleeps while TLS is blocked in the middle of a record. */
static bool has_stalled(struct http *h, uint64_t moved)
{
    double now = clock_monotonic();

    if (moved != h->moved) {
        h->moved = moved;
        h->moved_at = now;
    }
    return now - h->moved_at > h->facts.stall_seconds;
}

static int on_progress(void *cookie, curl_off_t a, curl_off_t received, curl_off_t c, curl_off_t d)
{
    struct http *h = cookie;

    (void)a, (void)c, (void)d;
    h->stalled = has_stalled(h, h->sent + (uint64_t)received);
    if (h->q->regardless)
        return h->stalled;
    h->cancelled = h->q->cancel && atomic_load(h->q->cancel);
    return h->stalled || h->cancelled || os_interrupted();
}

/* ---- one request --------------------------------------------------------------------------------------------- */

static void set_method(struct http *h)
{
    const struct http_request *q = h->q;
    CURL *c = h->curl;

    if (strcmp(q->method, "PUT") == 0 || strcmp(q->method, "POST") == 0) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_size);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(c, CURLOPT_READDATA, h);
        curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(c, CURLOPT_SEEKDATA, h);
        curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER);
    } else if (strcmp(q->method, "HEAD") == 0) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    }
    if (strcmp(q->method, "GET") != 0 && strcmp(q->method, "HEAD") != 0)
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
}

static void set_bounds(struct http *h)
{
    const struct http_request *q = h->q;
    struct http_trouble_facts *f = &h->facts;

    f->connect_seconds = q->connect_seconds ? q->connect_seconds : h->params.connect_seconds;
    f->connect_seconds = f->connect_seconds ? f->connect_seconds : 10;
    f->stall_seconds = q->stall_seconds ? q->stall_seconds : h->params.stall_seconds;
    f->stall_seconds = f->stall_seconds ? f->stall_seconds : 30;
    f->total_seconds = q->total_seconds;
    curl_easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT, (long)f->connect_seconds);
    curl_easy_setopt(h->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(h->curl, CURLOPT_LOW_SPEED_TIME, (long)f->stall_seconds);
    curl_easy_setopt(h->curl, CURLOPT_TIMEOUT, (long)f->total_seconds);
    curl_easy_setopt(h->curl, CURLOPT_EXPECT_100_TIMEOUT_MS, 2000L);
}

static void set_callbacks(struct http *h)
{
    CURL *c = h->curl;

    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->detail);
}

static int set_headers(struct http *h, struct curl_slist **list)
{
    const char *const *header = h->q->headers;
    struct curl_slist *next;

    next = curl_slist_append(NULL, h->q->expect && h->q->body_size > 0 ? "Expect: 100-continue" : "Expect:");
    for (; next && header && *header; header++) {
        *list = next;
        next = curl_slist_append(*list, *header);
    }
    if (!next)
        return -1;
    *list = next;
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, *list);
    return 0;
}

static void set_all(struct http *h)
{
    CURL *c = h->curl;

    curl_easy_reset(c); /* options only: the connection stays */
    curl_easy_setopt(c, CURLOPT_URL, h->q->url);
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "sfb/" SFB_VERSION);
    curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, (long)h->q->fresh);
    if (h->params.no_proxy)
        curl_easy_setopt(c, CURLOPT_PROXY, "");
    tls_apply(c, h->ca_bundle, &h->facts.tls);
    set_bounds(h);
    set_callbacks(h);
    set_method(h);
}

static void begin(struct http *h, const struct http_request *q, struct http_response *a, struct err *err)
{
    http_response_release(a);
    memset(a, 0, sizeof *a);
    buf_init(&a->body, q->max_body ? q->max_body : MAX_BODY);
    buf_init(&a->headers, MAX_HEADERS);
    memset(&h->facts, 0, sizeof h->facts);
    h->q = q;
    h->a = a;
    h->err = err;
    h->sent = 0;
    h->moved = 0;
    h->moved_at = clock_monotonic();
    h->own = h->cancelled = h->garbled = h->stalled = false;
    h->detail[0] = '\0';
}

static enum http_trouble explain(struct http *h, CURLcode code, struct err *err)
{
    char host[256];

    http_trouble_host(host, h->q->url);
    if (h->own)
        return HTTP_OWN;
    if (h->cancelled) {
        err_set(err, ERR_STORE, "the request to %s was given up", host);
        return HTTP_CANCELLED;
    }
    if (!h->q->regardless && os_check_interrupt(err) < 0)
        return HTTP_OWN;
    if (h->garbled) {
        err_set(err, ERR_STORE, "%s answers more than is sane", host);
        return HTTP_GARBLED;
    }
    h->facts.curl = h->curl;
    h->facts.code = h->stalled ? CURLE_OPERATION_TIMEDOUT : code;
    h->facts.detail = h->detail[0] ? h->detail : curl_easy_strerror(code);
    h->facts.url = h->q->url;
    return http_trouble_explain(&h->facts, err);
}

static void note_answer(struct http *h)
{
    const char *date = http_header(h->a, "date");
    long status = 0;

    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    h->a->status = (int)status;
    h->a->date = date ? curl_getdate(date, NULL) : 0;
    if (h->a->date < 0)
        h->a->date = 0;
}

int http_send(struct http *h, const struct http_request *q, struct http_response *a, struct err *err)
{
    struct curl_slist *headers = NULL;
    CURLcode code;
    int rc = -1;

    begin(h, q, a, err);
    if (check_url(h, q->url, err) < 0) {
        a->trouble = HTTP_BAD_URL;
        goto out;
    }
    set_all(h);
    if (set_headers(h, &headers) < 0) {
        err_no_memory(err);
        a->trouble = HTTP_OWN;
        goto out;
    }
    code = curl_easy_perform(h->curl);
    note_answer(h);
    if (code != CURLE_OK) {
        a->trouble = explain(h, code, err);
        goto out;
    }
    rc = 0;
out:
    curl_slist_free_all(headers);
    return rc;
}

/* ---- the answer ---------------------------------------------------------------------------------------------- */

void http_response_release(struct http_response *a)
{
    buf_release(&a->body);
    buf_release(&a->headers);
}

const char *http_header(const struct http_response *a, const char *name)
{
    const char *at = a->headers.data, *end = at + a->headers.size;
    size_t n = strlen(name);

    for (; at < end; at += strlen(at) + 1)
        if (strncasecmp(at, name, n) == 0 && at[n] == ':')
            return at + n + 1 + strspn(at + n + 1, " \t");
    return NULL;
}

bool http_is_passing(enum http_trouble t)
{
    switch (t) {
    case HTTP_NO_DNS:
    case HTTP_REFUSED:
    case HTTP_UNREACHABLE:
    case HTTP_RESET:
    case HTTP_STALLED:
    case HTTP_SLOW:
    case HTTP_CUT:
        return true;
    default:
        return false;
    }
}
