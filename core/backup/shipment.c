/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/shipment.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backup/repository.h"
#include "core/base/log.h"
#include "core/base/os.h"

/* The same stream, to another tier's key. */
struct copy {
    enum tier tier;
    char *key;
    struct upload *upload; /* NULL: it has failed */
    struct err trouble;
};

struct shipment {
    struct store *store;
    const char *environment, *label, *extension;
    struct snapshot_follower follower;
    struct snapshot_stream stream;
    struct upload *upload;
    int fd; /* the dump's file, ours: its maker closes his own when it gets its name; -1: it has none */
    char *file, *key;
    struct buf url;
    bool completed, published;
    struct err trouble; /* what made an upload fail while the dump went on */
    struct copy copies[SHIPMENT_COPIES];
    size_t n_copies;
};

/* ---- while the dump grows -------------------------------------------------------------------------------------- */

static enum tier first_tier(const struct shipment *ship)
{
    return ship->label != NULL && ship->label[0] != '\0' ? TIER_MANUAL : TIER_DAILY;
}

static int begin(struct shipment *ship, const struct upload_params *p, time_t started, struct err *err)
{
    ship->file = manifest_file_name(ship->label, started, ship->extension);
    ship->key = ship->file != NULL ? repository_key(ship->environment, first_tier(ship), ship->file) : NULL;
    if (ship->key == NULL)
        return err_no_memory(err);
    if (store_key_url(ship->store, ship->key, &ship->url, err) < 0)
        return -1;
    ship->upload = upload_begin(ship->store, ship->key, p, err);
    return ship->upload != NULL ? 0 : -1;
}

/* A name is a second: where the server can, it sees to it that another host's backup of that second is not replaced. */
static int ship_begin(void *cookie, int fd, time_t started, uint64_t expected, struct err *err)
{
    struct shipment *ship = cookie;
    struct upload_params p = { .expected_size = expected, .if_absent = true };

    ship->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (ship->fd < 0)
        return err_errno(err, "can't open the dump a second time");
    p.fd = ship->fd;
    if (begin(ship, &p, started, err) == 0)
        return 0;
    if (store_s3(ship->store) != NULL || ship->key == NULL || err->class == ERR_INTERNAL)
        return -1;
    ship->trouble = *err; /* a directory that can't be written: what can be had is a backup on this host */
    *err = (struct err){ 0 };
    return 0;
}

static int ship_hold(void *cookie, uint64_t contents)
{
    struct shipment *ship = cookie;

    return ship->upload != NULL ? upload_hold(ship->upload, contents, &ship->trouble) : -1;
}

static int ship_advance(void *cookie, uint64_t size)
{
    struct shipment *ship = cookie;

    return ship->upload != NULL ? upload_advance(ship->upload, size, &ship->trouble) : -1;
}

static int ship_end(void *cookie, uint64_t size)
{
    struct shipment *ship = cookie;

    return ship->upload != NULL ? upload_end(ship->upload, size, &ship->trouble) : -1;
}

/* ---- while it passes ------------------------------------------------------------------------------------------- */

static void give_up_copy(struct copy *c)
{
    upload_free(c->upload);
    c->upload = NULL;
}

static void begin_copies(struct shipment *ship, const struct upload_params *p)
{
    for (size_t i = 0; i < ship->n_copies; i++) {
        struct copy *c = &ship->copies[i];

        c->key = repository_key(ship->environment, c->tier, ship->file);
        if (c->key == NULL)
            err_no_memory(&c->trouble);
        else
            c->upload = upload_begin(ship->store, c->key, p, &c->trouble);
    }
}

static int stream_begin(void *cookie, time_t started, uint64_t expected, struct err *err)
{
    struct shipment *ship = cookie;
    struct upload_params p = { .expected_size = expected, .if_absent = true, .share = 1 + (unsigned)ship->n_copies };
    struct err little = { 0 };

    if (ship->n_copies == 0)
        return begin(ship, &p, started, err);
    if (begin(ship, &p, started, &little) == 0) {
        begin_copies(ship, &p);
        return 0;
    }
    free(ship->file);
    free(ship->key);
    buf_reset(&ship->url);
    for (size_t i = 0; i < ship->n_copies; i++)
        ship->copies[i].trouble = little;
    p.share = 1;
    return begin(ship, &p, started, err);
}

static int stream_hold(void *cookie, uint64_t contents, struct err *err)
{
    struct shipment *ship = cookie;

    for (size_t i = 0; i < ship->n_copies; i++) {
        struct copy *c = &ship->copies[i];

        if (c->upload != NULL && upload_hold(c->upload, contents, &c->trouble) < 0)
            give_up_copy(c);
    }
    return upload_hold(ship->upload, contents, err);
}

static int stream_write(void *cookie, const void *bytes, size_t n, struct err *err)
{
    struct shipment *ship = cookie;

    for (size_t i = 0; i < ship->n_copies; i++) {
        struct copy *c = &ship->copies[i];

        if (c->upload != NULL && upload_write(c->upload, bytes, n, &c->trouble) < 0)
            give_up_copy(c);
    }
    return upload_write(ship->upload, bytes, n, err);
}

static int stream_patch(void *cookie, uint64_t offset, const void *bytes, size_t n, struct err *err)
{
    struct shipment *ship = cookie;

    for (size_t i = 0; i < ship->n_copies; i++) {
        struct copy *c = &ship->copies[i];

        if (c->upload != NULL && upload_patch_first(c->upload, offset, bytes, n, &c->trouble) < 0)
            give_up_copy(c);
    }
    return upload_patch_first(ship->upload, offset, bytes, n, err);
}

/* ---------------------------------------------------------------------------------------------------------------- */

struct shipment *shipment_new(struct store *store, const char *environment, const char *label, const char *extension,
                              struct err *err)
{
    struct shipment *ship = calloc(1, sizeof *ship);

    if (ship == NULL) {
        err_no_memory(err);
        return NULL;
    }
    ship->store = store;
    ship->environment = environment;
    ship->label = label;
    ship->extension = extension;
    ship->fd = -1;
    ship->follower = (struct snapshot_follower){
        .begin = ship_begin, .hold = ship_hold, .advance = ship_advance, .end = ship_end, .cookie = ship
    };
    ship->stream = (struct snapshot_stream){
        .begin = stream_begin, .hold = stream_hold, .write = stream_write, .patch = stream_patch, .cookie = ship
    };
    buf_init(&ship->url, 8192);
    return ship;
}

const struct snapshot_follower *shipment_follower(struct shipment *ship)
{
    return &ship->follower;
}

const struct snapshot_stream *shipment_stream(struct shipment *ship)
{
    return &ship->stream;
}

void shipment_send_twice(struct shipment *ship, enum tier tier)
{
    if (ship->n_copies < SHIPMENT_COPIES)
        ship->copies[ship->n_copies++].tier = tier;
}

const char *shipment_key(const struct shipment *ship)
{
    return ship->key;
}

const char *shipment_url(const struct shipment *ship)
{
    return ship->url.data;
}

/* ---- what can't be finished ------------------------------------------------------------------------------------ */

/* Without a manifest it counts for nothing, but it is there, and somebody pays for it. The manifest goes first: it may be
 * there, when the answer to its PUT was lost. */
static void withdraw(const struct shipment *ship, const char *key)
{
    char *keys[] = { manifest_path_of(key), strdup(key), manifest_globals_path_of(key) };
    struct err err = { 0 };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct err trouble = { 0 };

        if (keys[i] != NULL && store_withdraw(ship->store, keys[i], &trouble) < 0 && err.class == ERR_NONE)
            err = trouble;
        free(keys[i]);
    }
    if (err.class == ERR_NONE)
        return;
    log_warn("%s/%s has no manifest, so it is no backup, but it could not be deleted: %s", store_url(ship->store), key,
             err.message);
    log_warn(
        "delete it by hand, or by `sfb prune --adopt` when it has expired; else a lifecycle rule will, by its age");
}

/* ---- what belongs to it ---------------------------------------------------------------------------------------- */

static char *sibling(const struct shipment *ship, enum tier tier, const char *file)
{
    return repository_key(ship->environment, tier, file);
}

static int put_globals(struct shipment *ship, const struct snapshot *s, enum tier tier, const char *file,
                       struct err *err)
{
    const struct buf *globals = &s->globals;
    char *key = NULL;
    struct buf text;
    int rc = -1;

    buf_init(&text, 64 * 1024 * 1024);
    if (s->globals_path != NULL) {
        if (os_read_file(s->globals_path, &text, err) < 0)
            goto out;
        globals = &text;
    }
    key = sibling(ship, tier, file);
    if (key == NULL)
        err_no_memory(err);
    else
        rc = store_put(ship->store, key, globals->data, globals->size, "application/sql", NULL, err);
out:
    free(key);
    buf_release(&text);
    return rc;
}

/* Globals, then the manifest, for a dump that is at `key` already. */
static int put_companions(struct shipment *ship, const struct snapshot *s, enum tier tier, int days, const char *key,
                          const char *etag, struct err *err)
{
    struct manifest m = s->manifest; /* its strings are borrowed: it is not released */
    char *globals = manifest_globals_path_of(ship->file);
    int rc = -1;

    if (globals == NULL)
        return err_no_memory(err);
    m.tier = tier;
    m.file = ship->file;
    m.etag = (char *)etag;
    m.retention_days = days;
    m.expires = days > 0 ? m.started + (time_t)days * 86400 : 0;
    if (*s->manifest.globals_file != '\0') {
        m.globals_file = globals;
        if (put_globals(ship, s, tier, globals, err) < 0)
            goto out;
    }
    rc = repository_put_manifest(ship->store, key, &m, err);
out:
    free(globals);
    return rc;
}

/* ---- finishing ------------------------------------------------------------------------------------------------- */

int shipment_complete(struct shipment *ship, struct snapshot *s, struct store_result *result, struct err *err)
{
    if (ship->trouble.class != ERR_NONE) {
        *err = ship->trouble;
        return -1;
    }
    if (upload_finish(ship->upload, result, err) < 0)
        return -1;
    ship->completed = true;
    return manifest_set(&s->manifest.etag, result->etag, err);
}

int shipment_publish(struct shipment *ship, const struct snapshot *s, struct err *err)
{
    const struct manifest *m = &s->manifest;

    if (put_companions(ship, s, first_tier(ship), m->retention_days, ship->key, m->etag, err) < 0)
        return -1;
    ship->published = true;
    return 0;
}

static int upload_again(struct shipment *ship, const struct snapshot *s, const char *key, struct store_result *result,
                        struct err *err)
{
    struct upload_params p = { .expected_size = s->manifest.size, .fd = ship->fd };

    return store_upload_file(ship->store, key, ship->fd, &p, result, err);
}

static struct copy *find_copy(struct shipment *ship, enum tier tier)
{
    for (size_t i = 0; i < ship->n_copies; i++)
        if (ship->copies[i].tier == tier)
            return &ship->copies[i];
    return NULL;
}

/* What was sent twice. */
static int finish_copy(struct shipment *ship, struct copy *c, const struct snapshot *s, int days, struct err *err)
{
    struct store_result result;
    int rc = -1;

    if (c->upload == NULL) {
        *err = c->trouble;
    } else if (upload_finish(c->upload, &result, err) == 0) {
        rc = put_companions(ship, s, c->tier, days, c->key, result.etag, err);
        if (rc < 0)
            withdraw(ship, c->key);
    }
    give_up_copy(c); /* aborts what is not finished */
    return rc;
}

static int copy_stored(struct shipment *ship, const struct snapshot *s, enum tier tier, int days, struct err *err)
{
    char *key = sibling(ship, tier, ship->file);
    struct store_result result;
    struct err refused = { 0 };
    bool denied = false, left = false;
    int rc = -1;

    if (key == NULL)
        return err_no_memory(err);
    if (store_copy(ship->store, ship->key, key, &result, &denied, &refused) < 0) {
        if (!denied) {
            left = true; /* the answer may have been lost */
            *err = refused;
            goto out;
        }
        if (ship->fd < 0) {
            *err = refused;
            err_hint(err, "there is no file of a stream that could be sent a second time: let the server copy "
                          "(s3:GetObject on it), or leave out --stream");
            goto out;
        }
        if (upload_again(ship, s, key, &result, err) < 0)
            goto out;
    }
    rc = put_companions(ship, s, tier, days, key, result.etag, err);
    left = rc < 0;
out:
    if (left)
        withdraw(ship, key);
    free(key);
    return rc;
}

int shipment_promote(struct shipment *ship, const struct snapshot *s, enum tier tier, int days, struct err *err)
{
    struct copy *sent = find_copy(ship, tier);

    return sent != NULL ? finish_copy(ship, sent, s, days, err) : copy_stored(ship, s, tier, days, err);
}

void shipment_free(struct shipment *ship)
{
    if (ship == NULL)
        return;
    upload_free(ship->upload);
    for (size_t i = 0; i < ship->n_copies; i++) {
        give_up_copy(&ship->copies[i]);
        free(ship->copies[i].key);
    }
    if (ship->completed && !ship->published)
        withdraw(ship, ship->key);
    if (ship->fd >= 0)
        close(ship->fd);
    free(ship->file);
    free(ship->key);
    buf_release(&ship->url);
    free(ship);
}
