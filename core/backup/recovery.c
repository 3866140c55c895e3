/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/recovery.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backup/audit.h"
#include "core/backup/integrity.h"
#include "core/backup/places.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"

struct recovery {
    struct recovery_params params;
    struct places places;
    struct audit audit;
    struct os_lock lock;
    struct target *target;
    struct choice_params wanted;
    struct choice choice;
    struct integrity checked;
    bool is_chosen, is_checked, verified;
    double fetch_seconds, verify_seconds;
    int fd; /* of the backup, once it was verified */
};

/* ---- before anybody is asked ------------------------------------------------------------------------------------- */

struct recovery *recovery_open(const struct recovery_params *p, struct err *err)
{
    struct recovery *r = calloc(1, sizeof *r);

    if (r == NULL) {
        err_no_memory(err);
        return NULL;
    }
    r->params = *p;
    r->lock = (struct os_lock)OS_LOCK_NONE;
    r->fd = -1;
    if (places_open(p->settings, &r->places, err) < 0 ||
        places_lock(p->settings, &r->places, p->environment, &r->lock, err) < 0)
        goto fail;
    r->target = places_target(p->settings, p->environment, err);
    if (r->target == NULL)
        goto fail;
    r->wanted = (struct choice_params){
        .settings = p->settings, .places = &r->places, .what = p->what, .source = p->source, .moment = p->moment
    };
    r->is_chosen = true;
    if (choice_find(&r->wanted, &r->choice, err) < 0)
        goto fail;
    audit_open(&r->audit, p->settings, &r->places, AUDIT_RESTORE);
    return r;
fail:
    recovery_close(r);
    return NULL;
}

const struct choice *recovery_choice(const struct recovery *r)
{
    return &r->choice;
}

const struct target *recovery_target(const struct recovery *r)
{
    return r->target;
}

struct recovery_account recovery_account(const struct recovery *r)
{
    return (struct recovery_account){
        .manifest = r->is_checked && r->checked.has_manifest ? &r->checked.manifest : NULL,
        .verified = r->verified,
        .fetch_seconds = r->fetch_seconds,
        .verify_seconds = r->verify_seconds,
    };
}

void recovery_announce(const struct recovery *r)
{
    const struct choice *c = &r->choice;
    char when[CLOCK_TEXT], size[TEXT_SHORT];
    struct buf database;

    buf_init(&database, 4096);
    target_describe(r->target, &database);
    if (r->params.dry_run) {
        log_say("🔍 DRY RUN: the database will not be modified");
    } else {
        log_say("⚠️  DATABASE RESTORE OPERATION ⚠️");
        log_say("%s", "");
        log_say("You are about to OVERWRITE the database with data from backup.");
        log_say("This operation is IRREVERSIBLE and will DELETE all current data.");
    }
    log_say("%s", "");
    log_say("📋 Restore Details:");
    log_say("   Backup File: %s", c->shown);
    log_say("   Backup Date: %s UTC", clock_log(when, c->taken));
    log_say("   Backup Size: %s", text_size(size, c->size));
    log_say("   Target Environment: %s", r->params.environment);
    log_say("   Target Database: %s", database.data);
    log_say("%s", "");
    buf_release(&database);
}

/* ---- the steps --------------------------------------------------------------------------------------------------- */

static int download(struct recovery *r, struct err *err)
{
    double from = clock_monotonic();
    char duration[TEXT_SHORT];
    int rc;

    if (!r->choice.stored)
        return 0;
    log_step("Downloading backup from S3...");
    rc = choice_bring(&r->wanted, &r->choice, err);
    r->fetch_seconds = clock_monotonic() - from;
    if (rc < 0)
        return -1;
    if (r->choice.fetched.cached)
        log_step("Not needed: the local cache has the same, %s", r->choice.path);
    else
        log_step("Download completed (%s)", text_duration(duration, r->fetch_seconds));
    return 0;
}

static int verify(struct recovery *r, struct err *err)
{
    struct integrity_params p = {
        .depth = r->params.quick ? CHECK_QUICK : integrity_depth(r->choice.path),
        .jobs = r->params.jobs,
        .bindir = settings_get(r->params.settings, SETTING_PG_BINDIR),
    };

    double from = clock_monotonic();

    if (!r->params.quick)
        log_step("Verifying backup integrity...");
    r->is_checked = true;
    r->verified = integrity_check(r->choice.path, &p, &r->checked, &r->fd, err) == 0;
    r->verify_seconds = clock_monotonic() - from;
    if (!r->verified)
        return -1;
    if (!r->params.quick)
        log_step("✅ Backup verification successful");
    return 0;
}

static int refuse_unasked(const struct recovery *r, struct err *err)
{
    if (!r->params.unconfirmed)
        return 0;
    err_set(err, ERR_CANCELLED, "nobody is at the terminal to confirm; nothing was touched");
    err_hint(err, "--force restores without asking");
    return -1;
}

static int restore(struct recovery *r, struct restoration_result *result, struct err *err)
{
    const struct settings *settings = r->params.settings;
    char *globals = manifest_globals_path_of(r->choice.path);
    struct restoration_params p = {
        .target = r->target,
        .path = r->choice.path,
        .fd = r->fd,
        .checked = &r->checked,
        .globals_path = globals != NULL && access(globals, F_OK) == 0 ? globals : NULL,
        .work_dir = r->places.work,
        .app = settings_get(settings, SETTING_APP),
        .environment = r->params.environment,
        .bindir = settings_get(settings, SETTING_PG_BINDIR),
        .jobs = r->params.jobs,
        .dry_run = r->params.dry_run,
        .unsaved = r->params.unsaved,
        .counts_only = r->params.counts_only,
        .create_logins = r->params.create_logins,
        .audit = &r->audit,
    };
    int rc = settings_int(settings, SETTING_LOCK_TIMEOUT, 0, 86400, &p.lock_timeout, err);

    if (rc == 0)
        rc = restoration_run(&p, result, err);
    free(globals);
    return rc;
}

/* ---- in order ---------------------------------------------------------------------------------------------------- */

static void tell_audit(struct recovery *r, const struct restoration_result *result, double seconds, int rc,
                       const struct err *err)
{
    char duration[TEXT_SHORT];

    if (r->params.dry_run)
        return;
    if (rc < 0) {
        audit_event(&r->audit, AUDIT_ERROR, "Restore failed (%s)%s", err->message,
                    result->put_back ? "; the previous database was put back" : "");
        return;
    }
    audit_event(&r->audit, AUDIT_INFO, "Restore completed (duration: %s)", text_duration(duration, seconds));
    if (result->proven)
        audit_event(&r->audit, AUDIT_INFO, "Data integrity verification successful");
}

int recovery_run(struct recovery *r, struct restoration_result *result, double *seconds, struct err *err)
{
    double from = clock_monotonic();
    int rc = -1;

    memset(result, 0, sizeof *result);
    if (!r->params.dry_run)
        audit_event(&r->audit, AUDIT_WARNING, "Restore initiated (user: %s, backup: %s, target: %s)", os_user(),
                    os_basename(r->choice.shown), r->params.environment);
    if (download(r, err) == 0 && verify(r, err) == 0 && refuse_unasked(r, err) == 0)
        rc = restore(r, result, err);
    *seconds = clock_monotonic() - from;
    tell_audit(r, result, *seconds, rc, err);
    return rc;
}

void recovery_close(struct recovery *r)
{
    if (r == NULL)
        return;
    if (r->is_checked)
        integrity_release(&r->checked);
    if (r->fd >= 0)
        close(r->fd);
    if (r->is_chosen)
        choice_release(&r->choice);
    target_free(r->target);
    audit_close(&r->audit);
    os_lock_release(&r->lock);
    places_release(&r->places);
    free(r);
}
