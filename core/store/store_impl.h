/* SPDX-License-Identifier: PostgreSQL */
/* store_impl.h - for the drivers: what each has to offer. store.c has checked rights and keys before it calls them. */
#pragma once
#include <stdatomic.h>
#include "core/store/store.h"

/* Gets every byte once, in order. */
typedef int store_sink(void *cookie, const void *bytes, size_t n, struct err *err);

struct store_ops {
    void (*close)(struct store *s);
    int (*put)(struct store *s, const char *key, const void *bytes, size_t n, const char *content_type,
               struct store_result *out, struct err *err);
    int (*head)(struct store *s, const char *key, struct store_info *out, struct err *err);
    int (*read)(struct store *s, const char *key, const char *etag, uint64_t offset, uint64_t n,
                const atomic_bool *cancel, store_sink *sink, void *cookie, struct store_info *info, struct err *err);
    int (*copy)(struct store *s, const char *from, const char *to, struct store_result *out, bool *denied,
                struct err *err);
    int (*remove)(struct store *s, const char *key, bool regardless, struct err *err);
    int (*list)(struct store *s, const char *prefix, store_lister *lister, void *cookie, struct err *err);
    struct upload *(*upload)(struct store *s, const char *key, const struct upload_params *p, struct err *err);
};

struct store {
    const struct store_ops *ops;
    int rights;
    unsigned parallel;
    char *url;
};

struct upload_ops {
    int (*write)(struct upload *u, const void *bytes, size_t n, struct err *err);
    int (*patch)(struct upload *u, uint64_t offset, const void *bytes, size_t n, struct err *err);
    int (*hold)(struct upload *u, uint64_t size, struct err *err); /* NULL: all of it can change to the end */
    int (*advance)(struct upload *u, uint64_t size, bool whole, struct err *err);
    int (*finish)(struct upload *u, struct store_result *out, struct err *err);
    void (*free)(struct upload *u);
};

struct upload {
    const struct upload_ops *ops;
    uint64_t first_size; /* of part 1: what may be patched */
    uint64_t written;    /* by upload_write */
    bool from_file;
    uint64_t available; /* by upload_advance */
};

/* Has the store that right, and is that a key (NULL: none is asked for)? */
int store_check(const struct store *s, int right, const char *key, struct err *err);

/* Path or bucket and prefix behind the scheme. */
struct store *store_dir_open(const char *url, const struct store_params *p, struct err *err);
struct store *store_s3_open(const char *url, const struct store_params *p, struct err *err);
struct s3 *store_s3_bucket(struct store *s);
bool store_s3_is(const struct store *s);
