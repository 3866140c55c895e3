/* SPDX-License-Identifier: PostgreSQL */
/* s3.h - a bucket: signed requests that are retried when that can help, and what only S3 has (probes, lifecycle).
 *
 * Backups go through store.h; this is what lies below it, and what `sfb doctor` and `sfb prune --lifecycle` ask for.
 * Keys here are whole: the store's prefix is not added. Thread-safe.
 *
 * A request is tried again, with growing, jittered pauses (or the server's Retry-After), while what went wrong passes
 * by itself: lost or stalled connections, 5xx (but 501, 505, 507), SlowDown, RequestTimeout, an XML error inside a 200,
 * a source of credentials that has given some and is not there now; up to retry_seconds after its first failure. Expired
 * credentials are renewed once. The wrong region is followed once and then remembered. Everything else fails at once.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/io/http.h"
#include "core/store/awscreds.h"
#include "core/store/store.h"

struct s3;
struct s3 *s3_open(const char *bucket, const struct store_params *p, struct err *err);
void s3_close(struct s3 *s);

/* ---- who, where, and why there: for doctor --------------------------------------------------------------------- */

const char *s3_bucket(const struct s3 *s);
const char *s3_endpoint(const struct s3 *s);        /* "https://s3.eu-west-1.amazonaws.com" */
const char *s3_endpoint_origin(const struct s3 *s); /* "AWS_ENDPOINT_URL_S3" */
const char *s3_region_origin(const struct s3 *s);
bool s3_is_path_style(const struct s3 *s);
int s3_region(struct s3 *s, struct buf *out, struct err *err); /* as last learned */
struct awscreds *s3_creds(struct s3 *s);
bool s3_hides_deleted(const struct s3 *s); /* something was deleted, and the bucket keeps it as an old version */

/* What a probe found. Codes are S3's ("NoSuchBucket", "AccessDenied"); "" when it worked. */
struct s3_probe {
    int status; /* 0: no answer, trouble says why */
    enum http_trouble trouble;
    char code[64], request_id[128];
    double clock_ahead; /* this host's clock minus the server's, seconds; 0 when it gave no Date */
    char region[64];    /* x-amz-bucket-region */
};

/* HEAD of the bucket (s3:ListBucket). 0 also when S3 says no: *out tells. -1 only without an answer. */
int s3_probe_bucket(struct s3 *s, struct s3_probe *out, struct err *err);

/* Each: 0, or -1 and err (ERR_STORE). *denied (may be NULL) tells a missing permission from other trouble. */
int s3_get_location(struct s3 *s, struct buf *region, bool *denied, struct err *err);
enum s3_versioning { S3_VERSIONING_OFF, S3_VERSIONING_ON, S3_VERSIONING_SUSPENDED };
int s3_get_versioning(struct s3 *s, enum s3_versioning *out, bool *denied, struct err *err);
struct s3_lock {
    bool enabled;
    char mode[16];
    int days, years;
}; /* mode "": no default retention */
int s3_get_object_lock(struct s3 *s, struct s3_lock *out, bool *denied, struct err *err);
struct s3_encryption {
    char algorithm[16], key_id[256];
}; /* "": none by default */
int s3_get_encryption(struct s3 *s, struct s3_encryption *out, bool *denied, struct err *err);

/* ---- lifecycle ------------------------------------------------------------------------------------------------- */

struct s3_rule {
    char id[256], prefix[1025];
    bool enabled;
    bool narrowed;   /* by tags or sizes as well */
    bool more;       /* it says something that is not in here */
    bool dated;      /* expires on a date */
    int expire_days; /* 0: it does not expire objects by age */
    int noncurrent_days;
    int abort_days; /* of incomplete multipart uploads; 0: never */
    bool moves;     /* to another storage class */
};

/* The rules, the caller's to free; none at all is *n 0 and *rules NULL. */
int s3_get_lifecycle(struct s3 *s, struct s3_rule **rules, size_t *n, bool *denied, struct err *err);
int s3_put_lifecycle(struct s3 *s, const struct s3_rule *rules, size_t n, bool *denied, struct err *err);

/* ---- multipart uploads that nobody finished -------------------------------------------------------------------- */

struct s3_open_upload {
    const char *key, *id;
    time_t started;
};
typedef int s3_upload_lister(void *cookie, const struct s3_open_upload *u, struct err *err);
/* regardless: of signals, and not for long: to clean up. */
int s3_list_uploads(struct s3 *s, const char *prefix, bool regardless, s3_upload_lister *lister, void *cookie,
                    bool *denied, struct err *err);
int s3_abort_upload(struct s3 *s, const char *key, const char *id, bool *denied, struct err *err);
