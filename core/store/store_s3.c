/* SPDX-License-Identifier: PostgreSQL */
/* store_s3.c - the S3 driver: a bucket and a prefix. */
#include <stdlib.h>
#include <string.h>
#include "core/base/text.h"
#include "core/store/s3_upload.h"

#define KEY_MAX 1024 /* S3's limit, of the whole key */

static int full_key(const struct store_s3 *s, const char *key, char out[KEY_MAX + 1], struct err *err)
{
    size_t n = strlen(s->prefix), m = strlen(key);

    if (n + m > KEY_MAX)
        return err_set(err, ERR_CONFIG, "a name that is too long for S3: %s/%s", s->store.url, key);
    memcpy(out, s->prefix, n);
    memcpy(out + n, key, m + 1);
    return 0;
}

static int do_put(struct store *store, const char *key, const void *bytes, size_t n, const char *content_type,
                  struct store_result *out, struct err *err)
{
    struct store_s3 *s = (struct store_s3 *)store;
    struct s3_body body = { .bytes = n > 0 ? bytes : "", .size = n, .content_type = content_type };
    char full[KEY_MAX + 1];

    return full_key(s, key, full, err) < 0 ? -1 : s3_put(s->s3, full, &body, out, err);
}

static int do_head(struct store *store, const char *key, struct store_info *out, struct err *err)
{
    struct store_s3 *s = (struct store_s3 *)store;
    char full[KEY_MAX + 1];

    return full_key(s, key, full, err) < 0 ? -1 : s3_head(s->s3, full, out, false, err);
}

static int do_read(struct store *store, const char *key, const char *etag, uint64_t offset, uint64_t n,
                   const atomic_bool *cancel, store_sink *sink, void *cookie, struct store_info *info, struct err *err)
{
    struct store_s3 *s = (struct store_s3 *)store;
    char full[KEY_MAX + 1];

    return full_key(s, key, full, err) < 0 ? -1
                                           : s3_read(s->s3, full, etag, offset, n, cancel, sink, cookie, info, err);
}

static int do_copy(struct store *store, const char *from, const char *to, struct store_result *out, bool *denied,
                   struct err *err)
{
    struct store_s3 *s = (struct store_s3 *)store;
    char source[KEY_MAX + 1], target[KEY_MAX + 1];

    if (full_key(s, from, source, err) < 0 || full_key(s, to, target, err) < 0)
        return -1;
    return s3_copy(s->s3, source, target, out, denied, err);
}

static int do_remove(struct store *store, const char *key, bool regardless, struct err *err)
{
    struct store_s3 *s = (struct store_s3 *)store;
    char full[KEY_MAX + 1];

    return full_key(s, key, full, err) < 0 ? -1 : s3_delete(s->s3, full, regardless, err);
}

/* Listed keys lose the store's prefix again. */
struct listing {
    size_t prefix_n;
    store_lister *lister;
    void *cookie;
};

static int on_item(void *cookie, const struct store_item *item, struct err *err)
{
    struct listing *l = cookie;
    struct store_item own = *item;

    if (strlen(item->key) <= l->prefix_n)
        return 0; /* a "directory" object */
    own.key = item->key + l->prefix_n;
    return l->lister(l->cookie, &own, err);
}

static int do_list(struct store *store, const char *prefix, store_lister *lister, void *cookie, struct err *err)
{
    struct store_s3 *s = (struct store_s3 *)store;
    struct listing l = { .prefix_n = strlen(s->prefix), .lister = lister, .cookie = cookie };
    char full[KEY_MAX + 1];

    return full_key(s, prefix, full, err) < 0 ? -1 : s3_list(s->s3, full, on_item, &l, err);
}

static struct upload *do_upload(struct store *store, const char *key, const struct upload_params *p, struct err *err)
{
    struct store_s3 *s = (struct store_s3 *)store;
    char full[KEY_MAX + 1];

    return full_key(s, key, full, err) < 0 ? NULL : s3_upload_begin(s, full, p, err);
}

static void do_close(struct store *store)
{
    struct store_s3 *s = (struct store_s3 *)store;

    s3_close(s->s3);
    free(s->prefix);
    free(s);
}

static const struct store_ops ops = {
    .close = do_close,
    .put = do_put,
    .head = do_head,
    .read = do_read,
    .copy = do_copy,
    .remove = do_remove,
    .list = do_list,
    .upload = do_upload,
};

bool store_s3_is(const struct store *s)
{
    return s->ops == &ops;
}

struct s3 *store_s3_bucket(struct store *s)
{
    return ((struct store_s3 *)s)->s3;
}

/* Servers and what lies before them may read "a/../b" as "b". */
static bool has_dots(const char *prefix)
{
    for (const char *part = prefix; *part; part += strcspn(part, "/"), part += *part == '/') {
        size_t n = strcspn(part, "/");

        if ((n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            return true;
    }
    return false;
}

/* "BUCKET/PREFIX": the prefix without slashes around it, then with one at its end, or nothing. */
static int split(struct store_s3 *s, const char *rest, char **bucket, struct err *err)
{
    size_t n = strcspn(rest, "/");
    const char *prefix = rest + n + (rest[n] == '/');

    *bucket = strndup(rest, n);
    s->prefix = malloc(strlen(prefix) + 2);
    if (!*bucket || !s->prefix)
        return err_no_memory(err);
    memcpy(s->prefix, prefix, strlen(prefix) + 1);
    if (*prefix)
        memcpy(s->prefix + strlen(prefix), "/", 2);
    if (strlen(s->prefix) > KEY_MAX / 2 || *prefix == '/' || strstr(s->prefix, "//") || strpbrk(s->prefix, "?#") ||
        has_dots(s->prefix)) {
        err_set(err, ERR_CONFIG, "not a prefix for S3: %s", prefix);
        err_hint(err, "s3://BUCKET/PREFIX: words joined by single slashes");
        return -1;
    }
    return 0;
}

struct store *store_s3_open(const char *url, const struct store_params *p, struct err *err)
{
    struct store_s3 *s = calloc(1, sizeof *s);
    char *bucket = NULL;

    if (!s) {
        err_no_memory(err);
        return NULL;
    }
    s->store.ops = &ops;
    s->parallel = p->parallel ? p->parallel : 4;
    s->max_parts = p->max_parts && p->max_parts < STORE_MAX_PARTS ? p->max_parts : STORE_MAX_PARTS;
    s->memory = p->memory ? p->memory : STORE_MEMORY;
    if (split(s, url + strlen("s3://"), &bucket, err) == 0)
        s->s3 = s3_open(bucket, p, err);
    free(bucket);
    if (!s->s3) {
        free(s->prefix);
        free(s);
        return NULL;
    }
    return &s->store;
}
