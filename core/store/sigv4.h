/* SPDX-License-Identifier: PostgreSQL */
/* sigv4.h - AWS Signature Version 4 in the Authorization header.
 *
 * Pure: bytes, a key and a time go in, text comes out; tested with the vectors that AWS publishes. Path and query come
 * as they are sent, already encoded (sigv4_encode); S3's rule is used: the path is neither normalized nor encoded again.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include "core/base/buf.h"
#include "core/base/err.h"

#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"
#define SIGV4_DATE 17 /* 20150830T123600Z and NUL */
#define SIGV4_MAX_HEADERS 32

struct sigv4_key {
    const char *id, *secret;
    const char *token; /* NULL or empty: none. The caller sends and signs it as x-amz-security-token */
};

struct sigv4_header {
    const char *name, *value; /* any case; spaces are trimmed and folded */
};

struct sigv4_request {
    const char *method;
    const char *path;                   /* "/" at least */
    const char *query;                  /* "a=b&c=" without the "?", in any order; NULL: none */
    const struct sigv4_header *headers; /* those to be signed; host among them */
    size_t n_headers;
    const char *payload_hash; /* hex of SHA-256, or SIGV4_UNSIGNED */
    const char *region, *service;
    time_t now;
};

const char *sigv4_date(char out[SIGV4_DATE], time_t now);

/* The Authorization header's value, added to out. -1 and err: too many headers, or memory. */
int sigv4_authorization(const struct sigv4_request *r, const struct sigv4_key *key, struct buf *out, struct err *err);

/* The steps of it, for tests and for `--verbose`. */
int sigv4_canonical(const struct sigv4_request *r, struct buf *out, struct err *err);
int sigv4_string_to_sign(const struct sigv4_request *r, struct buf *out, struct err *err);

/* Percent-encodes all but A-Z a-z 0-9 - . _ ~, and "/" where it separates the parts of a key. */
void sigv4_encode(struct buf *out, const char *text, bool keep_slash);

void sigv4_sha256_hex(char out[65], const void *bytes, size_t n);
