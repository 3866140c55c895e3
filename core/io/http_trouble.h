/* SPDX-License-Identifier: PostgreSQL */
/* http_trouble.h - for http.c: what libcurl reports, told apart and put into words. */
#pragma once
#include <curl/curl.h>
#include <stdint.h>
#include "core/base/err.h"
#include "core/io/http.h"

/* What is known of a transfer that failed. */
struct http_trouble_facts {
    CURL *curl;
    CURLcode code;
    const char *detail;    /* libcurl's own words; may be empty */
    uint32_t verify_flags; /* what mbedTLS found wrong with the certificate */
    char subject[128];     /* of the certificate that was refused */
    char valid_from[32], valid_to[32];
    const char *ca_bundle; /* for the message: what was verified against */
    const char *url;
    unsigned connect_seconds, stall_seconds, total_seconds;
};

/* Sets err (ERR_STORE, or ERR_CONFIG) and returns why. */
enum http_trouble http_trouble_explain(const struct http_trouble_facts *f, struct err *err);

/* "host:port" or "host" of a URL, for messages. */
const char *http_trouble_host(char out[256], const char *url);
