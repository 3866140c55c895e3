/* SPDX-License-Identifier: PostgreSQL */
/* s3_impl.h - for the s3_*.c files: a bucket's state, and one signed request. */
#pragma once
#include <pthread.h>
#include "core/io/digest.h"
#include "core/store/s3.h"
#include "core/store/store_impl.h"

#define S3_TEXT 512
#define S3_CLIENTS 32

struct s3 {
    char *bucket;
    struct store_params params; /* strings in it are ours */
    char *kms_key_id;
    struct awsconf *conf;
    struct awscreds *creds;
    struct http_params http;
    char *ca_bundle;
    char region_origin[AWSCONF_ORIGIN], endpoint_origin[AWSCONF_ORIGIN];
    bool aws;       /* the endpoint is one of AWS */
    bool by_region; /* and follows from the region */
    bool path_style;

    pthread_mutex_t lock;
    char region[64];
    char endpoint[S3_TEXT];           /* scheme://host[:port], without a "/" at its end */
    struct http *clients[S3_CLIENTS]; /* idle ones, their connections open */
    unsigned clients_n;
    bool proven; /* it has answered well: bodies are sent without asking first */
    bool warned; /* of the trouble that goes on now */

    atomic_bool hides; /* it keeps old versions: what was deleted is only hidden */
};

/* One request. `what` is a verb phrase: "can't WHAT s3://...: ..." */
struct s3_call {
    const char *what;
    enum err_class class; /* ERR_UPLOAD or ERR_STORE */
    const char *method;
    const char *key;                    /* NULL: the bucket */
    const char *query;                  /* encoded; NULL: none */
    const struct sigv4_header *headers; /* besides those that every request has; sent and signed */
    size_t n_headers;
    const void *body;
    uint64_t body_size;
    int fd;
    uint64_t offset;
    const struct digest_sum *sum; /* of the body, MD5 and SHA-256; NULL: computed here, of a body in memory */
    http_sink *sink;
    void *cookie;
    size_t max_body;
    unsigned stall_seconds;
    const atomic_bool *cancel;
    bool regardless; /* of signals: to clean up, and not for long */
    bool once;       /* no retry */
    bool fresh;      /* on a connection of its own */
};

struct s3_answer {
    struct http_response http;
    char code[64], message[S3_TEXT]; /* S3's, "" when it did well */
    char request_id[128];
    char region[64];        /* that it names */
    char signed_for[64];    /* the region that was asked */
    char location[S3_TEXT]; /* where it redirects to */
    double clock_ahead;
};

/* 0: a 2xx without an error inside. -1: err, and a->code or a->http.trouble; the status is a->http.status. */
int s3_call(struct s3 *s, const struct s3_call *c, struct s3_answer *a, struct err *err);
void s3_answer_release(struct s3_answer *a);

/* What s3_call is made of, for those whose next try differs from the last. */
struct s3_trouble { /* start from zeros; zeros again once something has moved */
    unsigned tries;
    double since;
    bool renewed, moved;
    char redirect[S3_TEXT]; /* endpoint to use instead, for this request only */
};
int s3_try(struct s3 *s, const struct s3_call *c, const char *endpoint, struct s3_answer *a, struct err *err);
/* 0: waited, or changed what was wrong: try again, err is clear. -1: err stands. */
int s3_again(struct s3 *s, const struct s3_call *c, struct s3_trouble *t, const struct s3_answer *a, struct err *err);

/* It failed, but the server may have done it all the same: the answer was lost, or it does not know. */
bool s3_may_have_worked(const struct s3_answer *a);
bool s3_is_denied(const struct s3_answer *a);
bool s3_is_missing(const struct s3_answer *a); /* the key, not the bucket */

/* ---- s3_error.c ------------------------------------------------------------------------------------------------ */

/* Code, message, request id, region out of the answer. */
void s3_error_read(const struct s3 *s, const struct s3_call *c, struct s3_answer *a);
int s3_error_explain(const struct s3 *s, const struct s3_call *c, const struct s3_answer *a, struct err *err);

/* ---- s3_retry.c: pure ------------------------------------------------------------------------------------------ */

enum s3_verdict {
    S3_FINAL,
    S3_AGAIN, /* it passes by itself */
    S3_RENEW, /* with new credentials */
    S3_MOVE,  /* in another region, or at another endpoint */
};
enum s3_verdict s3_retry_verdict(const struct s3_answer *a);
/* Seconds to wait before try number `tries` + 1; random in 0..1; retry_after < 0: the server did not say. */
double s3_retry_delay(unsigned tries, double random, double retry_after);
/* A Retry-After header in seconds: a number or a date. -1: none. */
double s3_retry_after(const char *value, time_t server_now);

/* ---- s3.c ------------------------------------------------------------------------------------------------------ */

struct http *s3_client_take(struct s3 *s, struct err *err);
void s3_client_give(struct s3 *s, struct http *h);
/* "scheme://host/path" of a key, encoded, and where host and path begin in it. endpoint NULL: ours. */
int s3_address(struct s3 *s, const char *endpoint, const char *key, struct buf *url, struct buf *host, struct buf *path,
               char region[64], struct err *err);
/* The server says the bucket is in that region. false: we thought so already. */
bool s3_set_region(struct s3 *s, const char *region);
time_t s3_now(const struct s3 *s);
/* Bodies are signed by their SHA-256 where anybody could change them on the way. Over TLS nobody can, and the signed
 * Content-MD5 stands for them: half the processor time of an upload. */
bool s3_signs_bodies(const struct s3 *s);
bool s3_add_sse(const struct s3 *s, struct sigv4_header *headers, size_t *n); /* at most 2 */

/* ---- s3_etag.c: pure ------------------------------------------------------------------------------------------- */

/* Without quotes. */
void s3_etag_copy(char out[128], const char *value);
/* The ETag of a multipart upload: the MD5 of the parts' MD5s, "-", their number. */
void s3_etag_of_parts(char out[128], const uint8_t (*md5s)[16], unsigned parts);
/* Does the server's ETag say what we sent? sse is what it says it encrypted with. -1 and err (ERR_UPLOAD): it has something
 * else. An ETag that is no MD5, as with KMS, proves nothing: then Content-MD5, which the server took, is the proof. */
int s3_etag_check(const char *etag, const char *expected, const char *sse, enum store_proof *proof, struct err *err);

/* ---- s3_object.c ----------------------------------------------------------------------------------------------- */

struct s3_body {
    const void *bytes; /* NULL: from fd */
    uint64_t size;
    int fd;
    uint64_t offset;
    const struct digest_sum *sum; /* NULL: computed from bytes */
    const char *content_type;
    bool if_absent;
    const atomic_bool *cancel;
};
int s3_put(struct s3 *s, const char *key, const struct s3_body *body, struct store_result *out, struct err *err);
int s3_head(struct s3 *s, const char *key, struct store_info *out, bool regardless, struct err *err);
int s3_delete(struct s3 *s, const char *key, bool regardless, struct err *err);
int s3_read(struct s3 *s, const char *key, const char *etag, uint64_t offset, uint64_t n, const atomic_bool *cancel,
            store_sink *sink, void *cookie, struct store_info *info, struct err *err);
int s3_list(struct s3 *s, const char *prefix, store_lister *lister, void *cookie, struct err *err);
int s3_copy(struct s3 *s, const char *from, const char *to, struct store_result *out, bool *denied, struct err *err);

/* The server says what it encrypted with, or nothing; something else than was asked for is a refusal: -1, ERR_UPLOAD. */
int s3_check_sse(const struct s3 *s, const char *key, const char *sse, const char *request_id, struct err *err);

/* ---- s3_multipart.c -------------------------------------------------------------------------------------------- */

#define S3_UPLOAD_ID 1024
struct s3_part {
    uint8_t md5[16];
    char etag[80]; /* as the server wrote it, quotes and all */
};
/* After a failure, too, an id that is not "" is to be aborted. */
int s3_create_upload(struct s3 *s, const char *key, const char *content_type, const atomic_bool *cancel,
                     char id[S3_UPLOAD_ID], bool *twice, struct err *err);
int s3_put_part(struct s3 *s, const char *key, const char *id, unsigned number, const struct s3_body *body,
                struct s3_part *out, struct err *err);
/* expected: the ETag that must come of it; NULL: whatever (a copy). */
int s3_complete_upload(struct s3 *s, const char *key, const char *id, const struct s3_part *parts, unsigned n,
                       const char *expected, uint64_t size, bool if_absent, struct store_result *out, struct err *err);
/* Every open upload of the key but that one: begun by a request whose answer was lost. Only where listing is allowed; else
 * the lifecycle clears them. Regardless of signals. */
void s3_abort_others(struct s3 *s, const char *key, const char *except);
/* A header's value into out, "" when there is none. */
void s3_take_header(char *out, size_t size, const struct s3_answer *a, const char *name);
void s3_take_result(const struct s3_answer *a, struct store_result *out);
