/* SPDX-License-Identifier: PostgreSQL */
/* s3_retry.c - may another try help, and when? */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include "core/store/s3_impl.h"

#define FIRST_DELAY 0.25
#define LONGEST_DELAY 20.0
#define LONGEST_ASKED 300.0

static bool is_one_of(const char *code, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(code, *list) == 0)
            return true;
    return false;
}

enum s3_verdict s3_retry_verdict(const struct s3_answer *a)
{
    static const char *const passing[] = {
        "SlowDown",
        "RequestTimeout",
        "RequestTimeoutException",
        "InternalError",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "OperationAborted",
        "BandwidthLimitExceeded",
        "TooManyRequests",
        "RequestThrottled",
        "PriorRequestNotComplete",
        "IncompleteBody",
        "BadDigest",
        "XAmzContentSHA256Mismatch",
        "ConditionalRequestConflict",
        NULL,
    };
    static const char *const over[] = { "ExpiredToken",   "ExpiredTokenException", "TokenRefreshRequired",
                                        "RequestExpired", "InvalidToken",          NULL };
    static const char *const elsewhere[] = { "PermanentRedirect",
                                             "TemporaryRedirect",
                                             "Redirect",
                                             "AuthorizationHeaderMalformed",
                                             "IllegalLocationConstraintException",
                                             NULL };
    int status = a->http.status;

    if (a->http.trouble != HTTP_FINE)
        return http_is_passing(a->http.trouble) ? S3_AGAIN : S3_FINAL;
    if (is_one_of(a->code, over))
        return S3_RENEW;
    if (is_one_of(a->code, elsewhere) || ((status == 301 || status == 307 || status == 308) && !a->code[0]) ||
        (status == 400 && a->region[0] && (!a->code[0] || strcmp(a->code, "BadRequest") == 0)))
        return S3_MOVE;
    if (is_one_of(a->code, passing))
        return S3_AGAIN;
    if (status == 501 || status == 505 || status == 507) /* what the server can't do at all, or has no disk for */
        return S3_FINAL;
    return status >= 500 || status == 429 || status == 408 ? S3_AGAIN : S3_FINAL;
}

/* Doubling, and between half of it and all of it, so that several who failed together don't come back together. */
double s3_retry_delay(unsigned tries, double random, double retry_after)
{
    double delay = FIRST_DELAY;

    if (retry_after >= 0)
        return (retry_after < LONGEST_ASKED ? retry_after : LONGEST_ASKED) + random * 0.25;
    for (unsigned i = 1; i < tries && delay < LONGEST_DELAY; i++)
        delay *= 2;
    if (delay > LONGEST_DELAY)
        delay = LONGEST_DELAY;
    return delay * (0.5 + random / 2);
}

double s3_retry_after(const char *value, time_t server_now)
{
    char *end = NULL;
    double seconds;
    time_t then;

    if (!value || !*value)
        return -1;
    seconds = strtod(value, &end);
    if (end != value && *end == '\0')
        return seconds >= 0 ? seconds : -1;
    then = curl_getdate(value, NULL);
    if (then < 0 || server_now == 0)
        return -1;
    return then > server_now ? (double)(then - server_now) : 0;
}
