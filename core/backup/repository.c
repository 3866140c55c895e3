/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/repository.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/os.h"
#include "core/base/text.h"
#include "core/store/awsconf.h"
#include "core/store/s3.h"

#define DAY 86400
#define FETCHERS 12 /* requests for manifests at once: they are small, and each waits for an answer */

/* ---- opening --------------------------------------------------------------------------------------------------- */

static int parse_sse(const struct settings *s, struct store_params *p, struct err *err)
{
    const char *sse = settings_get(s, SETTING_SSE);

    p->sse = STORE_SSE_AES256;
    if (strcmp(sse, "none") == 0)
        p->sse = STORE_SSE_NONE;
    else if (strcmp(sse, "aws:kms") == 0 || text_starts(sse, "aws:kms:"))
        p->sse = STORE_SSE_KMS;
    else if (strcmp(sse, "AES256") != 0)
        return err_set(err, ERR_CONFIG, "SFB_SSE is %s: it can be AES256, aws:kms, aws:kms:KEY-ID or none", sse);
    if (text_starts(sse, "aws:kms:"))
        p->kms_key_id = sse + strlen("aws:kms:");
    return 0;
}

/* SFB_BUCKET is a URL or a bucket's name. */
static int settings_url(const struct settings *s, struct buf *url, struct err *err)
{
    const char *bucket = settings_get(s, SETTING_BUCKET), *prefix = settings_get(s, SETTING_S3_PREFIX);

    if (bucket[0] == '\0')
        return err_set(err, ERR_CONFIG, "SFB_BUCKET is empty");
    if (strstr(bucket, "://") != NULL && !store_is_url(bucket)) {
        err_set(err, ERR_CONFIG, "SFB_BUCKET is not the URL of a store: %s", bucket);
        err_hint(err, "BUCKET, s3://BUCKET/PREFIX, or file:///DIRECTORY; a server's own URL is AWS_ENDPOINT_URL_S3");
        return -1;
    }
    buf_printf(url, "%s%s", store_is_url(bucket) ? "" : "s3://", bucket);
    while (url->size > 0 && url->data[url->size - 1] == '/')
        buf_cut(url, url->size - 1);
    prefix += strspn(prefix, "/");
    if (*prefix != '\0')
        buf_printf(url, "/%s", prefix);
    return buf_check(url, err);
}

static struct store *open_store(const struct settings *s, const char *url, struct store_params *p, int seconds,
                                struct err *err)
{
    struct store *store = NULL;
    struct buf text;
    int parts, memory;

    buf_init(&text, 4096);
    if (parse_sse(s, p, err) < 0 || settings_bool(s, SETTING_S3_ALLOW_HTTP, &p->allow_http, err) < 0 ||
        settings_int(s, SETTING_S3_MAX_PARTS, 1, 10000, &parts, err) < 0 ||
        settings_int(s, SETTING_S3_MEMORY, 16, 1 << 20, &memory, err) < 0)
        goto out;
    p->max_parts = (unsigned)parts;
    p->memory = (uint64_t)memory << 20;
    p->retry_seconds = (unsigned)seconds;
    p->no_retry = seconds == 0;
    if (url == NULL && settings_url(s, &text, err) < 0)
        goto out;
    store = store_open(url != NULL ? url : text.data, p, err);
out:
    buf_release(&text);
    return store;
}

struct store *repository_open(const struct settings *s, const char *url, int rights, struct err *err)
{
    struct store_params p = { .rights = rights };
    int seconds;

    if (settings_int(s, SETTING_S3_RETRY_SECONDS, 0, 86400, &seconds, err) < 0)
        return NULL;
    return open_store(s, url, &p, seconds, err);
}

struct store *repository_open_briefly(const struct settings *s, const char *url, int rights, unsigned seconds,
                                      struct err *err)
{
    struct store_params p = { .rights = rights };

    return open_store(s, url, &p, (int)seconds, err);
}

int repository_check(struct store *store, struct err *err)
{
    struct aws_key key;

    if (store_s3(store) == NULL)
        return 0;
    if (awscreds_get(s3_creds(store_s3(store)), &key, err) < 0)
        return -1;
    aws_key_release(&key);
    return 0;
}

/* ---- around it ------------------------------------------------------------------------------------------------- */

struct leftovers {
    size_t n;
    time_t now, oldest;
};

static int look_at_upload(void *cookie, const struct s3_open_upload *u, struct err *err)
{
    struct leftovers *l = cookie;

    (void)err;
    if (u->started == 0 || l->now - u->started < DAY)
        return 0;
    l->n++;
    if (l->oldest == 0 || u->started < l->oldest)
        l->oldest = u->started;
    return 0;
}

int repository_open_uploads(struct store *store, time_t now, size_t *n, time_t *oldest, bool *denied, struct err *err)
{
    const char *slash = strchr(store_url(store) + strlen("s3://"), '/');
    struct leftovers l = { .now = now };
    struct buf base;
    int rc = 0;

    buf_init(&base, 4096);
    *denied = false;
    if (slash != NULL)
        buf_printf(&base, "%s/", slash + 1);
    if (store_s3(store) != NULL)
        rc = buf_check(&base, err) < 0
               ? -1
               : s3_list_uploads(store_s3(store), base.data, false, look_at_upload, &l, denied, err);
    *n = l.n;
    *oldest = l.oldest;
    buf_release(&base);
    return rc;
}

bool repository_peer(struct store *store, struct peer *out)
{
    struct s3 *s3 = store_s3(store);
    struct err ignored = { 0 };
    struct awsconf *conf;
    bool known;

    memset(out, 0, sizeof *out);
    if (s3 == NULL || http_is_plain(s3_endpoint(s3)))
        return false;
    conf = awsconf_load(&ignored);
    known = peer_look(s3_endpoint(s3), conf != NULL ? awsconf_ca_bundle(conf, NULL) : NULL, out);
    awsconf_free(conf);
    return known;
}

char *repository_key(const char *environment, enum tier tier, const char *file)
{
    char *key = NULL;
    int n = tier == TIER_MANUAL ? asprintf(&key, "manual/%s", file)
                                : asprintf(&key, "%s/%s/%s", environment, manifest_tier_name(tier), file);

    return n < 0 ? NULL : key;
}

/* ---- manifests ------------------------------------------------------------------------------------------------- */

int repository_manifest(struct store *store, const char *key, struct manifest *m, struct err *err)
{
    char *path = manifest_path_of(key);
    struct buf text;
    int rc = -1;

    buf_init(&text, MANIFEST_MAX);
    if (path == NULL)
        err_set(err, ERR_NOT_FOUND, "%s is not the name of a backup", key);
    else if (store_get(store, path, &text, NULL, err) == 0)
        rc = manifest_parse(text.data, text.size, m, err);
    buf_release(&text);
    free(path);
    return rc;
}

int repository_put_manifest(struct store *store, const char *key, const struct manifest *m, struct err *err)
{
    char *path = manifest_path_of(key);
    struct buf text;
    int rc = -1;

    buf_init(&text, MANIFEST_MAX);
    if (path == NULL)
        err_no_memory(err);
    else if (manifest_write(m, &text, err) == 0)
        rc = store_put(store, path, text.data, text.size, "application/json", NULL, err);
    buf_release(&text);
    free(path);
    return rc;
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

struct listing {
    struct catalog *catalog;
    size_t capacity;
};

static int list_one(void *cookie, const struct store_item *object, struct err *err)
{
    struct listing *l = cookie;
    struct catalog_item item = { .size = object->size };
    enum backup_format format;

    if (!manifest_parse_name(object->key, &item.started, &format))
        return 0;
    if (l->catalog->n == l->capacity) {
        size_t capacity = l->capacity > 0 ? l->capacity * 2 : 64;
        struct catalog_item *items = reallocarray(l->catalog->items, capacity, sizeof *items);

        if (items == NULL)
            return err_no_memory(err);
        l->catalog->items = items;
        l->capacity = capacity;
    }
    item.path = strdup(object->key);
    if (item.path == NULL)
        return err_no_memory(err);
    l->catalog->items[l->catalog->n++] = item;
    return 0;
}

/* Several threads take the items one after the other. */
struct fetch {
    struct store *store;
    struct catalog *catalog;
    atomic_size_t next;
    atomic_bool failed;
    pthread_mutex_t lock; /* of err */
    struct err err;
};

static void fetch_item(struct fetch *f, struct catalog_item *item)
{
    struct err err = { 0 };

    item->has_manifest = repository_manifest(f->store, item->path, &item->manifest, &err) == 0;
    if (item->has_manifest) {
        item->started = item->manifest.started;
        return;
    }
    if (err.class == ERR_NOT_FOUND || err.class == ERR_DAMAGED) /* then the name tells all there is */
        return;
    pthread_mutex_lock(&f->lock);
    if (f->err.class == ERR_NONE)
        f->err = err;
    pthread_mutex_unlock(&f->lock);
    f->failed = true;
}

static void *fetch_main(void *arg)
{
    struct fetch *f = arg;

    for (;;) {
        size_t i = atomic_fetch_add(&f->next, 1);

        if (i >= f->catalog->n || f->failed)
            return NULL;
        fetch_item(f, &f->catalog->items[i]);
    }
}

static int fetch_manifests(struct store *store, struct catalog *c, struct err *err)
{
    struct fetch f = { .store = store, .catalog = c, .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t threads[FETCHERS];
    size_t n = 0;

    while (n < FETCHERS - 1 && n + 1 < c->n && pthread_create(&threads[n], NULL, fetch_main, &f) == 0)
        n++;
    fetch_main(&f);
    while (n > 0)
        pthread_join(threads[--n], NULL);
    if (!f.failed)
        return 0;
    *err = f.err;
    return -1;
}

static int newest_first(const void *a, const void *b)
{
    const struct catalog_item *x = a, *y = b;

    if (x->started != y->started)
        return x->started > y->started ? -1 : 1;
    return strcmp(x->path, y->path);
}

/* Without a manifest the key tells: ENV/... */
static bool is_of(const struct catalog_item *item, const char *environment)
{
    size_t n = strlen(environment);

    if (item->has_manifest)
        return strcmp(item->manifest.environment, environment) == 0;
    return strncmp(item->path, environment, n) == 0 && item->path[n] == '/';
}

static void keep_environment(struct catalog *c, const char *environment)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->n; i++) {
        if (is_of(&c->items[i], environment))
            c->items[kept++] = c->items[i];
        else
            catalog_release_item(&c->items[i]);
    }
    c->n = kept;
}

int repository_catalog(struct store *store, const char *prefix, const char *environment, struct catalog *out,
                       struct err *err)
{
    struct listing listing = { .catalog = out };

    memset(out, 0, sizeof *out);
    if (store_list(store, prefix, list_one, &listing, err) < 0 || fetch_manifests(store, out, err) < 0) {
        catalog_release(out);
        return -1;
    }
    if (environment != NULL)
        keep_environment(out, environment);
    if (out->n > 0)
        qsort(out->items, out->n, sizeof *out->items, newest_first);
    return 0;
}

/* The globals beside it are its own when its manifest says so; without one, the name does. */
int repository_keys(const struct catalog_item *item, char **keys, struct err *err)
{
    char *globals = manifest_globals_path_of(item->path);
    bool known = globals != NULL;
    bool own = known && (!item->has_manifest || strcmp(item->manifest.globals_file, os_basename(globals)) == 0);

    keys[0] = manifest_path_of(item->path);
    keys[1] = strdup(item->path);
    keys[2] = own ? globals : NULL;
    if (!own)
        free(globals);
    if (known && keys[0] != NULL && keys[1] != NULL)
        return 0;
    for (size_t i = 0; i < REPOSITORY_KEYS; i++) {
        free(keys[i]);
        keys[i] = NULL;
    }
    return err_no_memory(err);
}

/* Without its manifest it is no backup any more: then a signal does not keep the rest of it. */
static int delete_key(struct store *store, const char *key, bool begun, struct err *err)
{
    int rc = store_delete(store, key, err);

    if (rc == 0 || !begun || err->class != ERR_SIGNAL)
        return rc;
    err_clear(err);
    return store_withdraw(store, key, err);
}

int repository_delete(struct store *store, const struct catalog_item *item, struct err *err)
{
    char *keys[REPOSITORY_KEYS] = { NULL };
    int rc = repository_keys(item, keys, err);

    for (size_t i = 0; i < REPOSITORY_KEYS && keys[i] != NULL; i++) {
        if (rc == 0)
            rc = delete_key(store, keys[i], i > 0, err);
        free(keys[i]);
    }
    return rc;
}
