/* SPDX-License-Identifier: PostgreSQL */
/* http_trouble.h - for http.c: what libcurl reports, told apart and put into words. */
#pragma once
#include <curl/curl.h>
#include "core/base/err.h"
#include "core/io/http.h"
#include "core/io/tls.h"

/* What is known of a transfer that failed. */
struct http_trouble_facts {
    CURL *curl;
    CURLcode code;
    const char *detail; /* libcurl's own words; may be empty */
    struct tls_seen tls;
    const char *url;
    unsigned connect_seconds, stall_seconds, total_seconds;
};

/* Sets err (ERR_STORE, or ERR_CONFIG) and returns why. */
enum http_trouble http_trouble_explain(const struct http_trouble_facts *f, struct err *err);

/* "host:port" or "host" of a URL, for messages. */
const char *http_trouble_host(char out[256], const char *url);
