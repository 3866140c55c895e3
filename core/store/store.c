/* SPDX-License-Identifier: PostgreSQL */
/* store.c - URLs, keys, rights; then the drivers. */
#include "core/store/store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/store/store_impl.h"

#define KEY_MAX 1024

/* ---- URLs ---------------------------------------------------------------------------------------------------- */

bool store_is_url(const char *text)
{
    return text_starts(text, "s3://") || text_starts(text, "file://");
}

static int bad_url(const char *url, struct err *err)
{
    err_set(err, ERR_CONFIG, "not the URL of a store: %s", url);
    err_hint(err, "s3://BUCKET, s3://BUCKET/PREFIX, or file:///DIRECTORY");
    return -1;
}

int store_split(const char *url, char **base, char **key, struct err *err)
{
    const char *slash = strrchr(url, '/'), *start;

    *base = *key = NULL;
    if (!store_is_url(url))
        return bad_url(url, err);
    start = strstr(url, "://") + 3;
    if (slash <= start || slash[1] == '\0') {
        err_set(err, ERR_CONFIG, "%s names a store, not a backup in it", url);
        err_hint(err, "s3://BUCKET/production/daily/backup-20251023-020000.dump, say");
        return -1;
    }
    *base = strndup(url, (size_t)(slash - url));
    *key = strdup(slash + 1);
    if (*base && *key)
        return 0;
    free(*base);
    free(*key);
    *base = *key = NULL;
    return err_no_memory(err);
}

struct store *store_open(const char *url, const struct store_params *p, struct err *err)
{
    size_t n = strlen(url);
    struct store *s = NULL;
    char *own = NULL;

    if (!store_is_url(url)) {
        bad_url(url, err);
        return NULL;
    }
    own = strdup(url);
    if (!own) {
        err_no_memory(err);
        return NULL;
    }
    while (n > strlen("file:///") && own[n - 1] == '/')
        own[--n] = '\0';
    if (text_starts(own, "s3://"))
        s = store_s3_open(own, p, err);
    else if (text_starts(own, "file:///"))
        s = store_dir_open(own, p, err);
    else
        bad_url(url, err);
    if (!s) {
        free(own);
        return NULL;
    }
    s->url = own;
    s->rights = p->rights;
    s->parallel = p->parallel ? p->parallel : 4;
    return s;
}

void store_close(struct store *s)
{
    char *url;

    if (!s)
        return;
    url = s->url;
    s->ops->close(s);
    free(url);
}

const char *store_url(const struct store *s)
{
    return s->url;
}

struct s3 *store_s3(struct store *s)
{
    return store_s3_is(s) ? store_s3_bucket(s) : NULL;
}

/* ---- keys and rights ----------------------------------------------------------------------------------------- */

static bool is_part(const char *from, size_t n)
{
    return n > 0 && !(n == 1 && from[0] == '.') && !(n == 2 && from[0] == '.' && from[1] == '.');
}

static int check_key(const char *key, struct err *err)
{
    const char *from = key;
    bool good = strlen(key) <= KEY_MAX;

    for (; good; from++) {
        size_t n = strcspn(from, "/");

        good = is_part(from, n);
        for (size_t i = 0; good && i < n; i++)
            good = (unsigned char)from[i] >= ' ' && from[i] != 0x7F;
        from += n;
        if (*from == '\0')
            break;
    }
    return good ? 0 : err_set(err, ERR_CONFIG, "not a name for a backup in a store: %s", key);
}

int store_key_url(const struct store *s, const char *key, struct buf *out, struct err *err)
{
    buf_printf(out, "%s%s%s", s->url, text_ends(s->url, "/") ? "" : "/", key);
    return buf_check(out, err);
}

int store_check(const struct store *s, int right, const char *key, struct err *err)
{
    const char *what = right == STORE_READ ? "reading" : right == STORE_WRITE ? "writing" : "deleting";

    if (!(s->rights & right))
        return err_set(err, ERR_INTERNAL, "%s was not opened for %s", s->url, what);
    return key ? check_key(key, err) : 0;
}

/* ---- operations ---------------------------------------------------------------------------------------------- */

int store_put(struct store *s, const char *key, const void *bytes, size_t n, const char *content_type,
              struct store_result *out, struct err *err)
{
    struct store_result ignored;

    if (store_check(s, STORE_WRITE, key, err) < 0)
        return -1;
    return s->ops->put(s, key, bytes, n, content_type, out ? out : &ignored, err);
}

int store_head(struct store *s, const char *key, struct store_info *out, struct err *err)
{
    if (store_check(s, STORE_READ, key, err) < 0)
        return -1;
    return s->ops->head(s, key, out, err);
}

static int into_buf(void *cookie, const void *bytes, size_t n, struct err *err)
{
    struct buf *out = cookie;

    buf_add(out, bytes, n);
    if (out->failed)
        return err_set(err, ERR_STORE, "it is larger than %zu bytes", out->max);
    return 0;
}

int store_get(struct store *s, const char *key, struct buf *out, struct store_info *info, struct err *err)
{
    if (store_check(s, STORE_READ, key, err) < 0)
        return -1;
    return s->ops->read(s, key, NULL, 0, UINT64_MAX, NULL, into_buf, out, info, err);
}

struct memory {
    char *at;
    size_t got;
};

static int into_memory(void *cookie, const void *bytes, size_t n, struct err *err)
{
    struct memory *m = cookie;

    (void)err; /* the driver sends no more than was asked for */
    memcpy(m->at + m->got, bytes, n);
    m->got += n;
    return 0;
}

ssize_t store_read_at(struct store *s, const char *key, const char *etag, void *bytes, size_t n, uint64_t offset,
                      struct err *err)
{
    struct memory m = { .at = bytes };

    if (store_check(s, STORE_READ, key, err) < 0)
        return -1;
    if (s->ops->read(s, key, etag, offset, n, NULL, into_memory, &m, NULL, err) < 0)
        return -1;
    return (ssize_t)m.got;
}

int store_copy(struct store *s, const char *from, const char *to, struct store_result *out, bool *denied,
               struct err *err)
{
    struct store_result ignored;

    if (denied)
        *denied = false;
    if (store_check(s, STORE_WRITE, from, err) < 0 || check_key(to, err) < 0)
        return -1;
    return s->ops->copy(s, from, to, out ? out : &ignored, denied, err);
}

int store_delete(struct store *s, const char *key, struct err *err)
{
    if (store_check(s, STORE_DELETE, key, err) < 0)
        return -1;
    return s->ops->remove(s, key, false, err);
}

int store_withdraw(struct store *s, const char *key, struct err *err)
{
    if (store_check(s, STORE_DELETE, key, err) < 0)
        return -1;
    return s->ops->remove(s, key, true, err);
}

int store_list(struct store *s, const char *prefix, store_lister *lister, void *cookie, struct err *err)
{
    if (store_check(s, STORE_READ, NULL, err) < 0)
        return -1;
    return s->ops->list(s, prefix, lister, cookie, err);
}

bool store_was_denied(const struct err *err)
{
    return strcmp(err->code, "AccessDenied") == 0 || strcmp(err->code, "AllAccessDisabled") == 0;
}

/* ---- uploads ------------------------------------------------------------------------------------------------- */

struct upload *upload_begin(struct store *s, const char *key, const struct upload_params *p, struct err *err)
{
    struct upload *u;

    if (store_check(s, STORE_WRITE, key, err) < 0)
        return NULL;
    u = s->ops->upload(s, key, p, err);
    if (u)
        u->from_file = p->fd > 0;
    return u;
}

int upload_write(struct upload *u, const void *bytes, size_t n, struct err *err)
{
    if (u->from_file)
        return err_set(err, ERR_INTERNAL, "this upload takes its bytes from a file");
    if (u->ops->write(u, bytes, n, err) < 0)
        return -1;
    u->written += n;
    return 0;
}

int upload_patch_first(struct upload *u, uint64_t offset, const void *bytes, size_t n, struct err *err)
{
    if (u->from_file)
        return 0; /* the file has been changed itself */
    if (offset > u->first_size || n > u->first_size - offset || offset + n > u->written)
        return err_set(err, ERR_INTERNAL, "only the first %llu bytes of an upload can still be changed",
                       (unsigned long long)u->first_size);
    return u->ops->patch(u, offset, bytes, n, err);
}

int upload_hold(struct upload *u, uint64_t size, struct err *err)
{
    if (size <= u->first_size || !u->ops->hold)
        return 0;
    if (u->written > 0 || u->available > 0)
        return err_set(err, ERR_INTERNAL, "what may change of an upload has to be said before it begins");
    return u->ops->hold(u, size, err);
}

int upload_advance(struct upload *u, uint64_t size, struct err *err)
{
    if (!u->from_file)
        return err_set(err, ERR_INTERNAL, "this upload has no file");
    return u->ops->advance(u, size, false, err);
}

int upload_end(struct upload *u, uint64_t size, struct err *err)
{
    if (!u->from_file)
        return err_set(err, ERR_INTERNAL, "this upload has no file");
    return u->ops->advance(u, size, true, err);
}

int upload_finish(struct upload *u, struct store_result *out, struct err *err)
{
    struct store_result ignored;

    if (os_check_interrupt(err) < 0)
        return -1;
    return u->ops->finish(u, out ? out : &ignored, err);
}

void upload_free(struct upload *u)
{
    if (u)
        u->ops->free(u);
}

int store_upload_file(struct store *s, const char *key, int fd, const struct upload_params *p, struct store_result *out,
                      struct err *err)
{
    struct upload_params params = *p;
    struct upload *u = NULL;
    off_t size = lseek(fd, 0, SEEK_END);
    int rc = -1;

    if (size < 0)
        return err_errno(err, "can't tell the size of what is to be uploaded");
    params.fd = fd;
    params.expected_size = (uint64_t)size;
    u = upload_begin(s, key, &params, err);
    if (u && upload_end(u, (uint64_t)size, err) == 0 && upload_finish(u, out, err) == 0)
        rc = 0;
    upload_free(u);
    return rc;
}
