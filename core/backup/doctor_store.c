/* SPDX-License-Identifier: PostgreSQL */
/* doctor_store.c - the store: where it is, as whom, whether it answers, what this identity may do in it. */
#include <stdio.h>
#include <string.h>

#include "core/backup/doctor_impl.h"
#include "core/backup/doctor_rules.h"
#include "core/backup/manifest.h"
#include "core/backup/repository.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/store/awsconf.h"

#define NOT_PERMITTED "not known (not permitted)"

/* ---- who and where --------------------------------------------------------------------------------------------- */

static void say_endpoint(struct doctor_exam *e)
{
    struct err ignored = { 0 };
    struct buf region;

    buf_init(&region, 128);
    (void)s3_region(e->s3, &region, &ignored);
    doctor_add(e->r, DOCTOR_FINE, "endpoint", "%s (from %s), region %s (from %s), bucket in the %s", s3_endpoint(e->s3),
               s3_endpoint_origin(e->s3), region.data, s3_region_origin(e->s3),
               s3_is_path_style(e->s3) ? "path" : "host name");
    buf_release(&region);
    if (http_is_plain(s3_endpoint(e->s3)) && !http_is_loopback(s3_endpoint(e->s3))) {
        doctor_add(e->r, DOCTOR_WARNING, "encryption", "plain http: everybody on the way can read and change backups");
        doctor_remedy(e->r, "use an https:// endpoint, and unset SFB_S3_ALLOW_HTTP");
    }
}

/* Only AWS, or who names an endpoint for it, can be asked; nobody else is shown the keys. */
static bool has_sts(const struct doctor_exam *e)
{
    struct err ignored = { 0 };
    struct awsconf *conf = awsconf_load(&ignored);
    bool has = conf && (strstr(s3_endpoint(e->s3), ".amazonaws.com") || awsconf_sts_endpoint(conf, NULL));

    awsconf_free(conf);
    return has;
}

static void say_identity(struct doctor_exam *e)
{
    struct err err = { 0 };
    struct buf arn;

    if (!has_sts(e)) {
        doctor_add(e->r, DOCTOR_UNKNOWN, "identity", "not known (this provider is not asked: it is not AWS)");
        return;
    }
    buf_init(&arn, 4096);
    if (awscreds_identity(s3_creds(e->s3), &arn, &err) == 0)
        doctor_add(e->r, DOCTOR_FINE, "identity", "%s", arn.data);
    else
        doctor_add(e->r, DOCTOR_UNKNOWN, "identity", "not known: %s", err.message);
    buf_release(&arn);
}

static void examine_identity(struct doctor_exam *e)
{
    struct awscreds *creds = s3_creds(e->s3);
    struct err err = { 0 };
    struct aws_key key;

    if (awscreds_get(creds, &key, &err) < 0) {
        doctor_add_err(e->r, DOCTOR_BROKEN, "credentials", &err);
        return;
    }
    doctor_add(e->r, DOCTOR_FINE, "credentials", "%.4s…%s from %s", key.id,
               strlen(key.id) > 8 ? key.id + strlen(key.id) - 4 : "", awscreds_origin(creds));
    aws_key_release(&key);
    e->answers = true;
    say_identity(e);
}

void doctor_store_open(struct doctor_exam *e)
{
    int rights = STORE_READ | (e->p->write ? STORE_WRITE | STORE_DELETE : 0);
    char origin[DOCTOR_ORIGIN];
    struct err err = { 0 };
    const char *slash;

    e->store = repository_open_briefly(e->p->settings, NULL, rights, 0, &err);
    if (!e->store) {
        doctor_add_err(e->r, DOCTOR_BROKEN, "store", &err);
        return;
    }
    doctor_add(e->r, DOCTOR_FINE, "store", "%s (%s)", store_url(e->store),
               doctor_origin(origin, e->p->settings, SETTING_BUCKET));
    e->s3 = store_s3(e->store);
    e->answers = !e->s3;
    if (!e->s3)
        return;
    slash = strchr(store_url(e->store) + strlen("s3://"), '/');
    if (slash) {
        snprintf(e->base_text, sizeof e->base_text, "%s/", slash + 1);
        e->base = e->base_text;
    }
    say_endpoint(e);
    examine_identity(e);
}

/* ---- does it answer? ------------------------------------------------------------------------------------------- */

static void look_at_tls(struct doctor_exam *e)
{
    struct peer peer;

    if (http_is_plain(s3_endpoint(e->s3))) {
        doctor_add(e->r, DOCTOR_UNKNOWN, "TLS", "none: plain http");
        return;
    }
    repository_peer(e->store, &peer);
    doctor_rules_tls(e->r, peer.version, peer.until, e->p->now);
}

/* A HEAD that is refused does not say why; this answer has words. Is it the identity that is not good, or may it just
 * not list? */
static void ask_why(struct doctor_exam *e)
{
    struct err err = { 0 };
    struct buf region;

    buf_init(&region, 128);
    if (s3_get_location(e->s3, &region, NULL, &err) < 0 && !store_was_denied(&err)) {
        doctor_add_err(e->r, DOCTOR_BROKEN, "bucket", &err);
        e->answers = false;
    } else {
        doctor_add(e->r, DOCTOR_UNKNOWN, "bucket", NOT_PERMITTED ": this identity may not list (s3:ListBucket)");
        doctor_remedy(e->r, "a backup does not need it; `sfb list`, restores of \"latest\" and `sfb prune` do");
    }
    buf_release(&region);
}

static void reach_bucket(struct doctor_exam *e)
{
    struct err err = { 0 };
    struct s3_probe probe;

    if (s3_probe_bucket(e->s3, &probe, &err) < 0) {
        doctor_add_err(e->r, DOCTOR_BROKEN, "reachable", &err);
        e->answers = false;
        return;
    }
    doctor_add(e->r, DOCTOR_FINE, "reachable", "%s answers", s3_endpoint(e->s3));
    look_at_tls(e);
    doctor_rules_clock(e->r, probe.clock_ahead);
    if (probe.status == 403 || probe.status == 400) {
        ask_why(e);
    } else if (probe.status == 404) {
        doctor_add(e->r, DOCTOR_BROKEN, "bucket", "there is no bucket %s", s3_bucket(e->s3));
        doctor_remedy(e->r, "create it, or correct SFB_BUCKET or the endpoint");
        e->answers = false;
    } else if (probe.status < 200 || probe.status > 299) {
        doctor_add(e->r, DOCTOR_BROKEN, "bucket", "the server says HTTP %d%s%s", probe.status, *probe.code ? ", " : "",
                   probe.code);
        e->answers = false;
    } else {
        doctor_add(e->r, DOCTOR_FINE, "bucket", "%s is there", s3_bucket(e->s3));
    }
}

static void reach_directory(struct doctor_exam *e)
{
    const char *path = store_url(e->store) + strlen("file://");
    struct err err = { 0 };
    char have[TEXT_SHORT];
    uint64_t available;

    if (!os_dir_usable(path)) {
        doctor_add(e->r, DOCTOR_WARNING, "directory", "user %s can't write to %s, or it is not there yet", os_user(),
                   path);
        doctor_remedy(e->r, "is it mounted? `sfb backup` would make it where it may");
        e->answers = false;
    } else if (os_free_space(path, &available, &err) < 0) {
        doctor_add_err(e->r, DOCTOR_BROKEN, "directory", &err);
    } else {
        doctor_add(e->r, DOCTOR_FINE, "directory", "%s can be written, %s free", path, text_size(have, available));
    }
}

void doctor_store_reach(struct doctor_exam *e)
{
    if (!e->answers)
        return;
    if (e->s3)
        reach_bucket(e);
    else
        reach_directory(e);
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

struct seen {
    size_t n;
    time_t newest;
    char key[1100]; /* of the newest one's manifest: without one it would be no backup */
};

static int see(void *cookie, const struct store_item *item, struct err *err)
{
    struct seen *seen = cookie;
    time_t started;

    (void)err;
    if (!manifest_parse_own_name(item->key, &started))
        return 0;
    seen->n++;
    if (started >= seen->newest) {
        seen->newest = started;
        snprintf(seen->key, sizeof seen->key, "%s", item->key);
    }
    return 0;
}

static void try_to_read(struct doctor_exam *e, const char *key)
{
    struct err err = { 0 };
    char byte;

    if (store_read_at(e->store, key, NULL, &byte, 1, 0, &err) >= 0) {
        doctor_add(e->r, DOCTOR_FINE, "reading", "this identity may read backups");
    } else if (store_was_denied(&err)) {
        doctor_add(e->r, DOCTOR_UNKNOWN, "reading", "this identity may not read backups (s3:GetObject)");
        doctor_remedy(e->r, "a backup does not need it, a restore does");
    } else {
        doctor_add_err(e->r, DOCTOR_BROKEN, "reading", &err);
    }
}

void doctor_store_backups(struct doctor_exam *e)
{
    struct seen seen = { 0 };
    struct err err = { 0 };
    char prefix[64];

    if (!e->answers)
        return;
    snprintf(prefix, sizeof prefix, "%s/", e->p->environment);
    if (store_list(e->store, prefix, see, &seen, &err) < 0) {
        if (store_was_denied(&err))
            doctor_add(e->r, DOCTOR_UNKNOWN, "backups", NOT_PERMITTED);
        else
            doctor_add_err(e->r, DOCTOR_BROKEN, "backups", &err);
        return;
    }
    e->newest = seen.newest;
    doctor_rules_backups(e->r, e->p->environment, seen.n, seen.newest, e->p->now);
    if (seen.n > 0)
        try_to_read(e, seen.key);
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

void doctor_store_write(struct doctor_exam *e)
{
    static const char text[] = "written by sfb doctor --write; may be deleted\n";
    struct store_result result;
    struct err err = { 0 };
    char key[64];

    if (!e->answers)
        return;
    if (!e->p->write) {
        if (e->s3)
            doctor_add(e->r, DOCTOR_UNKNOWN, "writing", "not tried: `sfb doctor --write` puts a small object");
        return;
    }
    snprintf(key, sizeof key, "%s/daily/.sfb-doctor", e->p->environment);
    if (store_put(e->store, key, text, sizeof text - 1, "text/plain", &result, &err) < 0) {
        doctor_add_err(e->r, DOCTOR_BROKEN, "writing", &err);
        return;
    }
    doctor_add(e->r, DOCTOR_FINE, "writing", "this identity may write backups%s%s",
               *result.sse ? "; stored encrypted, " : "", result.sse);
    if (store_delete(e->store, key, &err) == 0)
        doctor_add(e->r, DOCTOR_FINE, "deleting", "this identity may delete: `sfb prune` works, and so does a thief");
    else if (store_was_denied(&err))
        doctor_add(e->r, DOCTOR_UNKNOWN, "deleting", "not permitted, which is safest for backups; %s stays there", key);
    else
        doctor_add_err(e->r, DOCTOR_WARNING, "deleting", &err);
}
