/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/making.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backup/audit.h"
#include "core/backup/catalog.h"
#include "core/backup/fetch.h"
#include "core/backup/integrity.h"
#include "core/backup/promotion.h"
#include "core/backup/repository.h"
#include "core/backup/shipment.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"

/* One run, and all that it holds. */
struct making {
    const struct making_params *params;
    struct places places;
    struct audit audit;
    char audit_head[AUDIT_HEAD_TEXT];
    struct os_lock lock;
    struct target *target;
    struct store *store; /* NULL with --local-only */
    struct shipment *shipment;
    struct dump *dump;
    struct integrity_list *list; /* for what is verified during the upload */
    struct snapshot_params snapshot_params;
    struct snapshot snapshot;
    bool taken;   /* snapshot holds files */
    bool proven;  /* they have been read back and are good */
    bool kept;    /* the work file stays */
    char *prefix; /* of the work file's name */
    char *cached; /* the dump's path in the cache */
    bool weekly, monthly;
    double verify_seconds, upload_seconds;
};

/* ---- the steps ------------------------------------------------------------------------------------------------- */

/* Finds the credentials now: without any, a dump would be made for nothing. */
static int open_store(struct making *m, struct err *err)
{
    int rights = STORE_WRITE | STORE_DELETE | (m->params->stream ? STORE_READ : 0); /* to read it back */

    m->store = repository_open(m->params->settings, NULL, rights, err);
    if (m->store == NULL || repository_check(m->store, err) < 0) {
        struct err why;

        err_context(err, "no store is configured to upload to");
        why = *err;
        if (why.hint[0] == '\0')
            snprintf(why.hint, sizeof why.hint, "give sfb a bucket and credentials (`sfb config` shows SFB_BUCKET)");
        err_hint(err, "%.900s; or add --local-only", why.hint);
        return -1;
    }
    return 0;
}

static int open_places(struct making *m, struct err *err)
{
    const struct making_params *p = m->params;

    if (places_open(p->settings, &m->places, err) < 0 ||
        places_lock(p->settings, &m->places, p->environment, &m->lock, err) < 0)
        return -1;
    m->target = places_target(p->settings, p->environment, err);
    if (m->target == NULL)
        return -1;
    if (!p->local_only && open_store(m, err) < 0)
        return -1;
    audit_open(&m->audit, p->settings, &m->places, AUDIT_BACKUP);
    if (asprintf(&m->prefix, "%s-", settings_get(p->settings, SETTING_APP)) < 0) {
        m->prefix = NULL;
        return err_no_memory(err);
    }
    os_sweep_partials(m->places.work, m->prefix);
    fetch_sweep(p->settings, &m->places);
    return 0;
}

static int connect_database(struct making *m, struct err *err)
{
    const struct settings *settings = m->params->settings;
    struct dump_params p = {
        .target = m->target,
        .bindir = settings_get(settings, SETTING_PG_BINDIR),
        .check_privileges = true,
    };

    if (settings_int(settings, SETTING_LOCK_TIMEOUT, 0, 86400, &p.lock_timeout, err) < 0)
        return -1;
    log_step("Connecting to database...");
    m->dump = dump_open(&p, err);
    if (m->dump == NULL)
        return -1;
    log_step("Connection established");
    if (m->params->method == METHOD_ZSTD && dump_get_facts(m->dump)->server_version_num < 160000) {
        err_set(err, ERR_CONFIG, "the server is %s, and its own pg_restore can't read zstd",
                dump_get_facts(m->dump)->server_version);
        err_hint(err, "leave out --compress-method: gzip is read by every version");
        return -1;
    }
    return 0;
}

static int plan_snapshot(struct making *m, struct err *err)
{
    const struct making_params *p = m->params;

    m->snapshot_params = (struct snapshot_params){
        .dump = m->dump,
        .app = settings_get(p->settings, SETTING_APP),
        .environment = p->environment,
        .label = p->label,
        .format = p->format,
        .method = p->method,
        .level = p->level,
        .jobs = p->jobs,
        .retention_days = p->retention_days,
        .directory = m->places.work,
        .prefix = m->prefix,
        .audit_head = audit_head_text(m->audit_head, &m->audit.head),
    };
    if (m->store != NULL) {
        m->shipment = shipment_new(m->store, p->environment, p->label, manifest_extension_of(p->format, p->method),
                                   err);
        if (m->shipment == NULL)
            return -1;
        m->snapshot_params.follower = shipment_follower(m->shipment);
    }
    return p->stream ? 0 : snapshot_check_space(&m->snapshot_params, err);
}

static struct promotion_params promotion_of(const struct making *m)
{
    return (struct promotion_params){
        .settings = m->params->settings,
        .state_dir = m->places.state,
        .environment = m->params->environment,
        .started = m->snapshot_params.started,
    };
}

static int take_streamed(struct making *m, struct err *err)
{
    struct promotion_params p = promotion_of(m);

    if (m->params->label == NULL || *m->params->label == '\0')
        promotion_prepare(&p, m->shipment);
    return snapshot_take_streamed(&m->snapshot_params, shipment_stream(m->shipment), &m->snapshot, err);
}

/* While an upload follows the dump it is too late to fork. */
static int prepare_check(struct making *m, struct err *err)
{
    if (m->store == NULL || m->params->stream || m->params->format != FORMAT_CUSTOM)
        return 0;
    m->list = integrity_list_start(dump_tool(m->dump), err);
    return m->list != NULL ? 0 : -1;
}

static int take(struct making *m, struct err *err)
{
    char duration[TEXT_SHORT], size[TEXT_SHORT], *blank;
    const struct manifest *manifest = &m->snapshot.manifest;

    log_step("Starting pg_dump...");
    m->snapshot_params.started = clock_now();
    if ((m->params->stream ? take_streamed(m, err) : snapshot_take(&m->snapshot_params, &m->snapshot, err)) < 0)
        return -1;
    m->taken = true;
    text_duration(duration, manifest->dump_seconds);
    text_size(size, manifest->size);
    log_step("Backup completed (%s)", duration);
    log_step("Backup size: %s (%s)", size, manifest->method == METHOD_NONE ? "not compressed" : "compressed");
    blank = strchr(size, ' '); /* the contract's audit log says 1.2GB where its output says 1.2 GB */
    if (blank != NULL)
        memmove(blank, blank + 1, strlen(blank));
    audit_event(&m->audit, AUDIT_INFO, "Backup completed (duration: %s, size: %s)", duration, size);
    return 0;
}

/* Compares what was read back with the manifest (a script is read now), while the last parts are still on their way. */
static int check_file(struct making *m, struct err *err)
{
    struct integrity_params p = {
        .depth = CHECK_ALL,
        .bindir = settings_get(m->params->settings, SETTING_PG_BINDIR),
        .list = m->list,
        .walked = m->params->format == FORMAT_CUSTOM ? &m->snapshot.walked : NULL,
    };
    double from = clock_monotonic();
    struct integrity found;
    int rc = integrity_check(m->snapshot.path, &p, &found, NULL, err);

    integrity_release(&found);
    m->proven = rc == 0;
    m->verify_seconds = clock_monotonic() - from;
    return rc;
}

static void say_uploaded(struct making *m)
{
    char duration[TEXT_SHORT];

    log_step("Upload completed (%s)", text_duration(duration, m->upload_seconds));
    audit_event(&m->audit, AUDIT_INFO, "S3 upload completed (location: %s)", shipment_url(m->shipment));
}

static int upload(struct making *m, struct err *err)
{
    struct store_result result;
    double from = clock_monotonic();
    int rc = shipment_complete(m->shipment, &m->snapshot, &result, err);

    if (rc == 0)
        rc = shipment_publish(m->shipment, &m->snapshot, err);
    m->upload_seconds = clock_monotonic() - from;
    if (rc == 0)
        say_uploaded(m);
    return rc;
}

/* A stream has no file to look at again; but where this identity may read, the object is there. */
static int read_back(struct making *m, struct err *err)
{
    struct integrity_params p = {
        .depth = CHECK_ALL,
        .jobs = m->params->jobs,
        .bindir = settings_get(m->params->settings, SETTING_PG_BINDIR),
    };
    struct err trouble = { 0 };
    struct integrity found;
    int rc = integrity_check_stored(m->store, shipment_key(m->shipment), &m->snapshot.manifest, &p, &found, &trouble);

    integrity_release(&found);
    if (rc == 0) {
        log_step("Verified by reading it back: every block and row, in the store");
        return 0;
    }
    if (store_was_denied(&trouble)) {
        log_step("Not read back: this identity may not read it (s3:GetObject)");
        return 0;
    }
    if (trouble.class == ERR_STORE) { /* no verdict on the backup: it has been verified twice already */
        log_warn("it could not be read back: %s", trouble.message);
        return 0;
    }
    *err = trouble;
    if (err->class != ERR_SIGNAL)
        err_reclass(err, ERR_DAMAGED);
    err_context(err, "what the store has is not what was sent");
    return -1;
}

static void say_seen(const struct making *m, const struct store_result *result)
{
    const struct manifest *manifest = &m->snapshot.manifest;
    char rows[TEXT_SHORT];

    log_step("Verified while it passed: every block, %s rows, %zu table%s", text_count(rows, manifest_rows(manifest)),
             manifest->n_tables, manifest->n_tables == 1 ? "" : "s");
    if (result->proof == STORE_PROOF_ETAG)
        log_step("Verified by the store's answers: the MD5 of %s", result->parts > 0 ? "each part, and of all" : "it");
    else if (result->proof == STORE_PROOF_MD5)
        log_step("Verified by the store: it was told the MD5 of each part");
}

static void promote(struct making *m)
{
    struct promotion_params p = promotion_of(m);

    if (m->snapshot.manifest.tier == TIER_DAILY)
        promotion_run(&p, m->shipment, &m->snapshot, &m->weekly, &m->monthly);
}

static void say_verified(struct making *m)
{
    const struct manifest *manifest = &m->snapshot.manifest;

    log_step("✅ Backup verification successful");
    audit_event(&m->audit, AUDIT_INFO, "Backup verification successful (checksum: %s)",
                *manifest->md5 ? manifest->md5 : manifest->etag);
}

/* Neither does the cache decide about a backup. */
static int cache(struct making *m, struct err *err)
{
    const struct snapshot *s = &m->snapshot;
    struct err trouble = { 0 };
    int keep, added;

    if (m->places.cache == NULL)
        return 0;
    if (settings_int(m->params->settings, SETTING_CACHE_KEEP, 1, 100000, &keep, err) < 0)
        return -1;
    added = catalog_cache_add(m->places.cache, &s->manifest, s->path, s->globals_path, &m->cached, &trouble);
    /* Also a full disk: there the trimming makes room for the next one. */
    if (catalog_cache_trim(m->places.cache, m->params->environment, (size_t)keep, &trouble) < 0 || added < 0)
        log_warn("the local cache is not up to date: %s", trouble.message);
    return 0;
}

/* ---- in order -------------------------------------------------------------------------------------------------- */

static int make_local(struct making *m, struct err *err)
{
    log_step("Verifying backup integrity...");
    if (check_file(m, err) < 0)
        return -1;
    say_verified(m);
    return cache(m, err);
}

/* The cause's own remedy stays first. */
static void hint_again(struct err *err)
{
    char cause[sizeof err->hint];

    snprintf(cause, sizeof cause, "%s",
             err->hint[0] != '\0' ? err->hint : "make room in the store, or mend what it says");
    err_hint(err, "%s; then run the backup again (the copy on this host can be restored)", cause);
}

/* The upload is completed only when the file has been proven good. When it fails, the backup is good all the same. */
static int make_stored(struct making *m, struct err *err)
{
    log_step("Uploading to S3: %s", shipment_url(m->shipment));
    if (check_file(m, err) < 0)
        return -1;
    if (upload(m, err) < 0) {
        struct err ignored = { 0 };

        if (err->class == ERR_SIGNAL)
            return -1;
        cache(m, &ignored);
        err_context(err, "the backup is good and kept as %s, but was not uploaded",
                    m->cached != NULL ? m->cached : m->snapshot.path);
        hint_again(err);
        return -1;
    }
    log_step("Verifying backup integrity...");
    say_verified(m);
    promote(m);
    return cache(m, err);
}

/* Nothing of it is on this host: it has been verified while it passed, and counts when it has been read back. */
static int make_streamed(struct making *m, struct err *err)
{
    struct store_result result;
    double from = clock_monotonic();
    int rc;

    log_step("Uploading to S3: %s", shipment_url(m->shipment));
    rc = shipment_complete(m->shipment, &m->snapshot, &result, err);
    m->upload_seconds = clock_monotonic() - from;
    if (rc < 0)
        return -1;
    say_uploaded(m);
    log_step("Verifying backup integrity...");
    say_seen(m, &result);
    if ((m->params->read_back && read_back(m, err) < 0) || shipment_publish(m->shipment, &m->snapshot, err) < 0)
        return -1;
    say_verified(m);
    promote(m);
    return 0;
}

/* What stays on this host. After an upload the cached copy does, after a failed one at least one good copy, and with
 * --local-only the work file as well. */
static void settle_files(struct making *m, bool good, const struct err *err)
{
    m->kept = m->taken && (good ? m->params->local_only : m->proven && m->cached == NULL && err->class != ERR_SIGNAL);
    if (!m->taken || m->kept)
        return;
    /* The name is the second in which it started, and the work file claims it. The next run must not get the same: it
     * would replace this backup in the store. */
    clock_wait_past(m->snapshot.manifest.started);
    snapshot_remove_files(&m->snapshot);
}

/* What was reached, of a failure too. */
static int report(struct making *m, bool good, struct making_result *result, struct err *err)
{
    const char *path = m->kept ? m->snapshot.path : m->cached;

    result->verified = m->proven;
    result->weekly = m->weekly;
    result->monthly = m->monthly;
    result->verify_seconds = m->verify_seconds;
    result->upload_seconds = m->upload_seconds;
    if (m->taken) {
        manifest_release(&result->manifest);
        result->manifest = m->snapshot.manifest; /* moved */
        manifest_init(&m->snapshot.manifest);
        result->dump_seconds = result->manifest.dump_seconds;
    }
    if ((path != NULL && (result->path = strdup(path)) == NULL) ||
        (good && m->shipment != NULL && (result->location = strdup(shipment_url(m->shipment))) == NULL))
        return err_no_memory(err);
    return 0;
}

static void release(struct making *m)
{
    integrity_list_free(m->list);
    shipment_free(m->shipment);
    store_close(m->store);
    if (m->taken)
        snapshot_release(&m->snapshot);
    dump_close(m->dump);
    target_free(m->target);
    audit_close(&m->audit);
    os_lock_release(&m->lock);
    places_release(&m->places);
    free(m->prefix);
    free(m->cached);
}

int making_run(const struct making_params *p, struct making_result *result, struct err *err)
{
    struct making m = { .params = p, .lock = OS_LOCK_NONE };
    double from = clock_monotonic();
    int rc = -1;

    memset(result, 0, sizeof *result);
    manifest_init(&result->manifest);
    if (open_places(&m, err) < 0)
        goto out;
    audit_event(&m.audit, AUDIT_INFO, "Backup started (user: %s, pid: %d)", os_user(), (int)getpid());
    if (connect_database(&m, err) == 0 && plan_snapshot(&m, err) == 0 && prepare_check(&m, err) == 0 &&
        take(&m, err) == 0)
        rc = p->local_only ? make_local(&m, err) : p->stream ? make_streamed(&m, err) : make_stored(&m, err);
    if (rc < 0)
        audit_event(&m.audit, AUDIT_ERROR, "Backup failed (%s)", err->message);
    settle_files(&m, rc == 0, err);
    if (report(&m, rc == 0, result, err) < 0)
        rc = -1;
    result->seconds = clock_monotonic() - from;
out:
    release(&m);
    return rc;
}

void making_release(struct making_result *result)
{
    manifest_release(&result->manifest);
    free(result->path);
    free(result->location);
    memset(result, 0, sizeof *result);
}
