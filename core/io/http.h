/* SPDX-License-Identifier: PostgreSQL */
/* http.h - one HTTP request at a time, over verified TLS, with every refusal told apart.
 *
 * A client keeps its connection open between requests. It belongs to one thread at a time; different clients are
 * independent. HTTPS is TLS 1.2 or newer, and the certificate is always verified: against the bundle that was named,
 * else the host's, else the one inside (trust.h). Plain http only to loopback, or where it was allowed. Proxies as
 * libcurl finds them: https_proxy, http_proxy, all_proxy, no_proxy. Redirects are never followed here.
 *
 *     struct http *h = http_new(&params, err);
 *     struct http_request q = { .method = "GET", .url = url, .max_body = 64 * 1024 };
 *     struct http_response a = { 0 };
 *     if (http_send(h, &q, &a, err) < 0) ...      // no answer: a.trouble says why
 *     else if (a.status != 200) ...
 *     http_response_release(&a);
 *     http_free(h);
 *
 * Waiting is bounded: 10 s to connect, 30 s without a byte moving (params), q.total_seconds for all of it. A signal
 * (os_interrupted) ends a request within a second, and so does *q.cancel.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include "core/base/buf.h"
#include "core/base/err.h"

struct http_params {
    const char *ca_bundle;    /* a PEM file; NULL: the host's, else ours */
    bool allow_http;          /* plain http to others than loopback */
    bool no_proxy;            /* whatever the environment says: for link-local addresses */
    unsigned connect_seconds; /* 0: 10 */
    unsigned stall_seconds;   /* 0: 30 */
};

/* Why there is no answer. */
enum http_trouble {
    HTTP_FINE,
    HTTP_BAD_URL,     /* malformed, or plain http that was not allowed */
    HTTP_NO_HOST,     /* there is no such name */
    HTTP_NO_DNS,      /* nobody could be asked for the name */
    HTTP_REFUSED,     /* nobody listens */
    HTTP_UNREACHABLE, /* no route, or no connection in time */
    HTTP_RESET,       /* the connection broke */
    HTTP_STALLED,     /* nothing moved any more */
    HTTP_SLOW,        /* total_seconds were over */
    HTTP_CUT,         /* the answer ended early */
    HTTP_GARBLED,     /* not HTTP, or more of it than is sane */
    HTTP_TLS_EXPIRED,
    HTTP_TLS_EARLY,   /* not valid yet: somebody's clock */
    HTTP_TLS_HOST,    /* a certificate for another name */
    HTTP_TLS_UNKNOWN, /* of an authority that is not trusted, or self-signed */
    HTTP_TLS_OLD,     /* no protocol version in common */
    HTTP_TLS,         /* any other failure of TLS */
    HTTP_TRUST,       /* the CA bundle can't be read */
    HTTP_PROXY,       /* the proxy refused, or is not there */
    HTTP_CANCELLED,   /* *cancel */
    HTTP_OWN,         /* ours: a signal, the sink, the file to send, memory; err says which */
};

typedef int http_sink(void *cookie, const void *bytes, size_t n, struct err *err);

struct http_request {
    const char *method, *url;
    const char *const *headers; /* "Name: value", NULL at the end; NULL: none */
    /* The body: memory, or body_size bytes of fd from offset on when body is NULL. Sent again from its start at need. */
    const void *body;
    uint64_t body_size;
    int fd;
    uint64_t offset;
    bool expect; /* ask before the body is sent (Expect: 100-continue) */
    bool fresh;  /* on a new connection: what fails on a used one libcurl sends again by itself, and does not say so */
    /* The answer: a 2xx body goes to the sink piece by piece when there is one; everything else into the response. */
    http_sink *sink;
    void *cookie;
    size_t max_body;           /* of what goes into the response; more is HTTP_GARBLED. 0: 64 KiB */
    unsigned connect_seconds;  /* 0: the client's */
    unsigned stall_seconds;    /* 0: the client's */
    unsigned total_seconds;    /* 0: as long as something moves */
    const atomic_bool *cancel; /* NULL, or: true ends it */
    bool regardless;           /* of signals and *cancel: to clean up */
};

struct http_response {
    enum http_trouble trouble;
    int status;
    struct buf body;    /* NUL-terminated */
    struct buf headers; /* http_header reads it */
    uint64_t received;  /* bytes of the body */
    time_t date;        /* the server's Date; 0: it said none */
};

/* Once, before the first thread: sets up libcurl. Idempotent. */
int http_setup(struct err *err);

struct http *http_new(const struct http_params *p, struct err *err); /* copies what p says */
void http_free(struct http *h);

/* 0: there is an answer, of whatever status. -1: none; a->trouble and err (ERR_STORE; ERR_CONFIG for HTTP_BAD_URL and
 * HTTP_TRUST; ERR_SIGNAL; the sink's own). a may be a used one: it is emptied first. */
int http_send(struct http *h, const struct http_request *q, struct http_response *a, struct err *err);
void http_response_release(struct http_response *a);

/* A header's value, whatever its case; NULL when there is none. */
const char *http_header(const struct http_response *a, const char *name);

/* May another try succeed? */
bool http_is_passing(enum http_trouble t);

/* Is url plain http, and to whom? For warnings. */
bool http_is_plain(const char *url);
bool http_is_loopback(const char *url);
