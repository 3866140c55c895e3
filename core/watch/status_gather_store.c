/* SPDX-License-Identifier: PostgreSQL */
/* status_gather_store.c - what the store tells: its keys, the runs it remembers, what lies around it. */
#include <stdlib.h>
#include <string.h>

#include "core/backup/repository.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/store/s3.h"
#include "core/watch/status_gather_impl.h"

#define PATIENCE 10 /* seconds: somebody waits */
#define DAY 86400

/* ---- keys ------------------------------------------------------------------------------------------------------ */

static const char manifest_ending[] = ".manifest.json";

/* "production/daily/backup-20251023-020000" of a dump's or a manifest's key; NULL: it is neither, or without memory. */
static char *stem_of(const char *key, bool is_manifest)
{
    const char *name = os_basename(key), *dot = strchr(name, '.');

    return strndup(key, is_manifest ? strlen(key) - strlen(manifest_ending)
                                    : (size_t)(dot != NULL ? dot - key : name - key));
}

/* The entry of that stem: keys of one backup follow each other. */
static struct status_stored *entry(struct status_gathering *g, char *stem)
{
    if (g->n_stored > 0 && strcmp(g->stored[g->n_stored - 1].stem, stem) == 0) {
        free(stem);
        return &g->stored[g->n_stored - 1];
    }
    if (g->n_stored == g->room) {
        size_t room = g->room > 0 ? g->room * 2 : 256;
        struct status_stored *items = reallocarray(g->stored, room, sizeof *items);

        if (items == NULL) {
            free(stem);
            return NULL;
        }
        g->stored = items;
        g->room = room;
    }
    g->stored[g->n_stored] = (struct status_stored){ .stem = stem };
    return &g->stored[g->n_stored++];
}

struct listing {
    struct status_gathering *g;
    enum tier tier;
};

static int note_key(void *cookie, const struct store_item *item, struct err *err)
{
    const struct listing *l = cookie;
    bool is_manifest = text_ends(item->key, manifest_ending);
    struct status_stored *e;
    enum backup_format format;
    time_t started = 0;
    char *stem;

    if (!is_manifest && !manifest_parse_name(item->key, &started, &format))
        return 0;
    stem = stem_of(item->key, is_manifest);
    e = stem != NULL ? entry(l->g, stem) : NULL;
    if (e == NULL)
        return err_no_memory(err);
    e->tier = l->tier;
    if (is_manifest) {
        e->has_manifest = true;
        return 0;
    }
    e->started = started;
    e->modified = item->modified;
    e->size = item->size;
    if (item->etag != NULL && strlen(item->etag) < sizeof e->etag)
        memcpy(e->etag, item->etag, strlen(item->etag) + 1);
    if (e->file == NULL && (e->file = strdup(os_basename(item->key))) == NULL)
        return err_no_memory(err);
    return 0;
}

static int list_tiers(struct status_gathering *g, struct store *store, struct err *err)
{
    int rc = 0;

    for (int tier = 0; tier < TIER_COUNT && rc == 0; tier++) {
        struct listing l = { .g = g, .tier = (enum tier)tier };
        char *prefix = repository_key(g->p->environment, l.tier, "");

        rc = prefix != NULL ? store_list(store, prefix, note_key, &l, err) : err_no_memory(err);
        free(prefix);
    }
    return rc;
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

static int count(struct status_gathering *g, struct err *err)
{
    struct status_facts *f = g->facts;

    for (size_t i = 0; i < g->n_stored; i++) {
        const struct status_stored *e = &g->stored[i];

        if (e->file != NULL && e->has_manifest) {
            f->stored[e->tier]++;
            f->stored_bytes[e->tier] += e->size;
        } else if (e->file != NULL) {
            f->unfinished += g->p->now - e->modified > DAY;
        } else if (f->orphans++ == 0 || strcmp(os_basename(e->stem), os_basename(f->orphan)) > 0) {
            free(f->orphan);
            f->orphan = strdup(e->stem);
            if (f->orphan == NULL)
                return err_no_memory(err);
        }
    }
    return 0;
}

/* ---- around it --------------------------------------------------------------------------------------------------- */

/* What can't be asked stays unknown. */
static void look_around(struct status_gathering *g, struct store *store)
{
    struct status_facts *f = g->facts;
    struct s3 *s3 = store_s3(store);
    struct err ignored = { 0 };
    struct s3_probe probe;
    struct peer peer;
    bool denied;

    if (s3 == NULL)
        return;
    if (s3_probe_bucket(s3, &probe, &ignored) == 0) {
        f->clock_known = true;
        f->clock_ahead = probe.clock_ahead;
    }
    if (repository_peer(store, &peer))
        f->certificate = peer.until;
    err_clear(&ignored);
    f->uploads_known = repository_open_uploads(store, g->p->now, &f->open_uploads, &f->oldest_upload, &denied,
                                               &ignored) == 0;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static bool is_used(const struct status_gathering *g)
{
    const struct history *h = &g->facts->history;

    for (size_t i = h->n; i > 0; i--)
        if (h->runs[i - 1].kind == RUN_BACKUP && h->runs[i - 1].stored)
            return true;
    return settings_given(g->p->settings, SETTING_BUCKET);
}

/* A store that can't be asked is a fact, not a failure. */
static int note_trouble(struct status_gathering *g, const struct err *trouble, struct err *err)
{
    struct status_facts *f = g->facts;

    if (trouble->class == ERR_INTERNAL || trouble->class == ERR_SIGNAL) {
        *err = *trouble;
        return -1;
    }
    if (f->store_listed) { /* it may list and not read: a monitor needs no more */
        log_debug("what the store remembers is not known: %s", trouble->message);
        return 0;
    }
    f->store_denied = store_was_denied(trouble);
    f->store_trouble = strdup(trouble->message);
    return f->store_trouble != NULL ? 0 : err_no_memory(err);
}

static int ask(struct status_gathering *g, struct store *store, struct err *trouble)
{
    struct status_facts *f = g->facts;

    if (repository_check(store, trouble) < 0 || list_tiers(g, store, trouble) < 0)
        return -1;
    f->store_listed = true;
    if (history_read_store(store, &g->places, g->p->environment, g->p->now, STATUS_RUNS, &f->history, trouble) < 0)
        return -1;
    return proofs_read_store(&f->proofs, store, g->p->environment, trouble);
}

int status_gather_store(struct status_gathering *g, struct err *err)
{
    struct err trouble = { 0 };
    struct store *store = NULL;
    int rc = -1;

    g->facts->store_asked = is_used(g);
    if (!g->facts->store_asked || g->p->here_only) {
        g->facts->store_asked = false;
        return status_gather_merge(g, NULL, err);
    }
    store = repository_open_briefly(g->p->settings, NULL, STORE_READ, PATIENCE, &trouble);
    if ((store == NULL || ask(g, store, &trouble) < 0) && note_trouble(g, &trouble, err) < 0)
        goto out;
    if (g->facts->store_listed)
        look_around(g, store);
    if (count(g, err) < 0)
        goto out;
    rc = status_gather_merge(g, store != NULL ? store_url(store) : NULL, err);
out:
    store_close(store);
    return rc;
}
