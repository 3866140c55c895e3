/* SPDX-License-Identifier: PostgreSQL */
/* store.h - where backups are kept: objects with names, in S3 or in a directory, behind one interface.
 *
 * A store is opened from a URL, s3://BUCKET[/PREFIX] or file:///DIR, for the rights that its user needs: what was not
 * asked for at open is refused here, before anything is sent (so --dry-run opens without STORE_DELETE). Keys are
 * relative to the URL: parts joined by "/", no "." or ".." among them.
 *
 * Nothing is visible under its key before it is whole and was compared with what was sent: a put or an upload that
 * returned 0 is there, byte for byte, as far as the answers tell (store_result.proof); one that failed left nothing,
 * or err says what it could not remove. S3 needs s3:PutObject alone for that.
 *
 *     struct store *s = store_open("s3://signupflow-backups", &params, err);
 *     struct upload *u = upload_begin(s, key, &up, err);
 *     while (...) if (upload_write(u, bytes, n, err) < 0) ...
 *     upload_patch_first(u, 0, toc, toc_size, err);
 *     if (upload_finish(u, &result, err) < 0) ...
 *     upload_free(u);                                  // aborts what was not finished
 *
 * Errors: ERR_UPLOAD when something could not be written, ERR_STORE when it could not be read, listed or deleted,
 * ERR_NOT_FOUND for a key (of a read) that is not there, ERR_DAMAGED for an object that is not the one that was pinned,
 * ERR_CONFIG for a bad URL and for missing credentials, ERR_SPACE and ERR_IO from a directory, ERR_SIGNAL. Messages
 * name the URL, S3's own code and the request id.
 *
 * All but the upload functions may be called by several threads at once. Everything blocks, bounded by timeouts and by
 * retry_seconds; a signal ends it within a second.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include "core/base/buf.h"
#include "core/base/err.h"

enum { STORE_READ = 1, STORE_WRITE = 2, STORE_DELETE = 4 };

enum store_sse { STORE_SSE_AES256, STORE_SSE_KMS, STORE_SSE_NONE };

#define STORE_RETRY_SECONDS 300
#define STORE_MAX_PARTS 10000
#define STORE_MEMORY (96ULL << 20)

/* Zeros and NULLs are defaults. Strings are copied. */
struct store_params {
    int rights;
    const char *endpoint;   /* NULL: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's endpoint_url, AWS's own */
    const char *region;     /* NULL: AWS_REGION, AWS_DEFAULT_REGION, the profile's; then us-east-1, and followed */
    const char *addressing; /* "path", "virtual"; NULL or "auto": virtual for AWS and names that can be host names */
    const char *ca_bundle;  /* NULL: AWS_CA_BUNDLE, the profile's ca_bundle, the host's, ours */
    enum store_sse sse;
    const char *kms_key_id; /* with STORE_SSE_KMS; NULL: the bucket's or account's own */
    bool allow_http;        /* plain http to others than loopback */
    bool no_retry;
    unsigned retry_seconds; /* how long one request goes on failing before it is given up; 0: STORE_RETRY_SECONDS */
    unsigned stall_seconds; /* a connection on which nothing moves for so long is given up; 0: 30 */
    unsigned max_parts;     /* 0: STORE_MAX_PARTS */
    unsigned parallel;      /* requests at once, of uploads and downloads; 0: 4 */
    uint64_t memory;        /* for the buffers of an upload; 0: STORE_MEMORY */
    uint64_t copy_most;     /* that the server is asked to copy at once; 0: what S3 allows, 5 GiB */
    time_t (*now)(void);    /* what requests are signed with; NULL: the real clock, whatever SFB_TEST_NOW says */
};

/* Did the server say that this identity may not do it? */
bool store_was_denied(const struct err *err);

struct store;
struct store *store_open(const char *url, const struct store_params *p, struct err *err); /* sends nothing */
void store_close(struct store *s);

bool store_is_url(const char *text); /* s3:// or file:// */
/* "s3://b/production/daily/x.dump": the store's URL "s3://b/production/daily" and the key "x.dump" in it; the caller
 * frees both. -1 and ERR_CONFIG when it is no URL of a store, or ends in "/". */
int store_split(const char *url, char **base, char **key, struct err *err);

const char *store_url(const struct store *s); /* without "/" at its end */
int store_key_url(const struct store *s, const char *key, struct buf *out, struct err *err);

/* For s3.h: probes, lifecycle. NULL for a directory. */
struct s3;
struct s3 *store_s3(struct store *s);

/* ---- one object ------------------------------------------------------------------------------------------------ */

enum store_proof {
    STORE_PROOF_NONE,
    STORE_PROOF_MD5,  /* the server took Content-MD5, and its ETag says no MD5 (KMS, or its own manner) */
    STORE_PROOF_ETAG, /* and its ETag is the MD5, or the MD5 of the parts' MD5s, that we computed */
    STORE_PROOF_DISK, /* written, synced, renamed: a directory */
};

struct store_result {
    uint64_t size;
    unsigned parts; /* 0: not a multipart upload */
    char etag[128]; /* without quotes */
    char request_id[128];
    char version_id[256]; /* "": not a versioned bucket */
    char sse[64];         /* what the server says it encrypted with; "": it says nothing */
    enum store_proof proof;
    bool unsure; /* of a failure: an answer was lost, so that it may be there all the same */
};

struct store_info {
    uint64_t size;
    time_t modified;
    char etag[128];
    char sse[64];
};

/* A small object, in one piece. content_type NULL: application/octet-stream. */
int store_put(struct store *s, const char *key, const void *bytes, size_t n, const char *content_type,
              struct store_result *out, struct err *err);

int store_head(struct store *s, const char *key, struct store_info *out, struct err *err);

/* All of a small object, as far as out->max. */
int store_get(struct store *s, const char *key, struct buf *out, struct store_info *info, struct err *err);

/* n bytes from offset on; fewer only where the object ends. etag (NULL: whatever is there) pins the version: ERR_DAMAGED
 * when it is another one now. Resumes where a broken connection stopped. */
ssize_t store_read_at(struct store *s, const char *key, const char *etag, void *bytes, size_t n, uint64_t offset,
                      struct err *err);

/* The same as a stream: a thread fetches the range ahead, in one request. n UINT64_MAX reads to the end. */
struct store_reader;
struct store_reader *store_reader_open(struct store *s, const char *key, const char *etag, uint64_t offset, uint64_t n,
                                       struct err *err);
/* The next n bytes; fewer only where the range or the object ends. */
ssize_t store_reader_read(struct store_reader *r, void *bytes, size_t n, struct err *err);
void store_reader_close(struct store_reader *r); /* wherever it is; NULL is fine */

/* The whole object into fd, from its start, in parallel ranges of one version. progress (NULL: none) is called from
 * several threads, one at a time. */
typedef void store_progress(void *cookie, uint64_t bytes);
int store_download(struct store *s, const char *key, const char *etag, int fd, struct store_info *out,
                   store_progress *progress, void *cookie, struct err *err);

/* The server copies. ERR_UPLOAD when it may not: err says so, and *denied (may be NULL) is true: upload a second time. */
int store_copy(struct store *s, const char *from, const char *to, struct store_result *out, bool *denied,
               struct err *err);

/* 0 also when it was not there. */
int store_delete(struct store *s, const char *key, struct err *err);
/* The same for what a run that failed must not leave: whatever signals came, and not for long. */
int store_withdraw(struct store *s, const char *key, struct err *err);

/* ---- many ------------------------------------------------------------------------------------------------------ */

struct store_item {
    const char *key;
    uint64_t size;
    time_t modified;
    const char *etag;
};

/* Every object whose key starts with prefix ("": all), in the order of their bytes, in bounded memory. The callback may
 * stop it by returning -1 with err. */
typedef int store_lister(void *cookie, const struct store_item *item, struct err *err);
int store_list(struct store *s, const char *prefix, store_lister *lister, void *cookie, struct err *err);

/* ---- an upload that streams ------------------------------------------------------------------------------------ */

/* Parts of one size go up in parallel while more is written. Part 1 waits till the end, so that the beginning of the
 * object, where an archive has its table of contents, may still change; with upload_hold as many as that takes. A small
 * object becomes a single PUT, and then nothing at all is sent before upload_finish. Memory is bounded by params.memory,
 * in which two parts must fit: with 10,000 parts and 96 MiB a stream of 468 GiB. What is expected to be more is refused
 * at the beginning, and what becomes more without notice fails.
 *
 * With an fd nothing is held in memory, and there is no such bound: parts are read from the file while it grows. */
struct upload_params {
    uint64_t expected_size;   /* better too much; 0: not known. Decides on the size of the parts */
    const char *content_type; /* NULL: application/octet-stream */
    int fd;                   /* of the file that is being written; 0: none, upload_write brings the bytes */
    unsigned share;           /* so many uploads at once share params.memory; 0: this one has it. ERR_CONFIG at the
                               * beginning when a share is too little for four times what is expected */
    bool if_absent;           /* If-None-Match: *, for servers that understand it: never over another object */
    store_progress *progress; /* NULL, or: so many more bytes have arrived; from any thread, one at a time */
    void *progress_cookie;
};

struct upload;
struct upload *upload_begin(struct store *s, const char *key, const struct upload_params *p, struct err *err);

/* The next bytes. Waits while too much is under way. -1: a part could not be sent; no use to go on. */
int upload_write(struct upload *u, const void *bytes, size_t n, struct err *err);
/* Bytes already written change: they must lie within the first part, which has at least 5 MiB, or what upload_hold
 * said. */
int upload_patch_first(struct upload *u, uint64_t offset, const void *bytes, size_t n, struct err *err);
/* So many bytes at the beginning may change: to be said before any are written (or advanced). */
int upload_hold(struct upload *u, uint64_t size, struct err *err);

/* With an fd: its first `size` bytes are there, and but for the first part's will not change. Never waits. -1 as above. */
int upload_advance(struct upload *u, uint64_t size, struct err *err);
/* It is whole, of that size, and nothing in it will change: what is left is sent, the first part last. Never waits. */
int upload_end(struct upload *u, uint64_t size, struct err *err);

/* All has been written (or, with an fd, it has ended): waits for the parts, sends the first, completes, compares. After it,
 * whatever it returned, only upload_free. */
int upload_finish(struct upload *u, struct store_result *out, struct err *err);

/* Aborts what was not finished: no object, no parts that cost money. When the server won't have it, a warning says how
 * the bucket's lifecycle clears it. NULL is fine. */
void upload_free(struct upload *u);

/* A finished file, which fd is open for: begin, end, finish. */
int store_upload_file(struct store *s, const char *key, int fd, const struct upload_params *p, struct store_result *out,
                      struct err *err);
