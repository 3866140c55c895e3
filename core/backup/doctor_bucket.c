/* SPDX-License-Identifier: PostgreSQL */
/* doctor_bucket.c - how the bucket is set up: encryption, versions, locks, lifecycle, uploads that nobody finished. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/doctor_impl.h"
#include "core/backup/doctor_rules.h"
#include "core/backup/listing.h"
#include "core/backup/repository.h"

/* A question that was not answered: who asks has least privilege, or the server lacks the whole thing. No trouble. */
static void not_known(struct doctor_exam *e, const char *topic, bool denied, const struct err *err)
{
    if (denied)
        doctor_add(e->r, DOCTOR_UNKNOWN, topic, "not known (not permitted)");
    else
        doctor_add(e->r, DOCTOR_UNKNOWN, topic, "not known: %s", err->message);
}

/* ---- protection ------------------------------------------------------------------------------------------------ */

static void look_at_encryption(struct doctor_exam *e)
{
    const char *asked = settings_get(e->p->settings, SETTING_SSE);
    struct s3_encryption found;
    struct err err = { 0 };
    bool denied;

    if (s3_get_encryption(e->s3, &found, &denied, &err) < 0) {
        not_known(e, "encryption", denied, &err);
    } else if (*found.algorithm) {
        doctor_add(e->r, DOCTOR_FINE, "encryption", "%s%s%s by default; sfb asks for %s", found.algorithm,
                   *found.key_id ? " with key " : "", found.key_id, asked);
    } else if (strcmp(asked, "none") != 0) {
        doctor_add(e->r, DOCTOR_FINE, "encryption", "none by default; sfb asks for %s with every backup", asked);
    } else {
        doctor_add(e->r, DOCTOR_WARNING, "encryption", "none: backups lie there as they are");
        doctor_remedy(e->r, "set SFB_SSE=AES256, or a default encryption for the bucket");
    }
}

static void look_at_versions(struct doctor_exam *e)
{
    struct s3_lock lock = { 0 };
    struct err err = { 0 };
    bool denied;

    if (s3_get_versioning(e->s3, &e->versioning, &denied, &err) < 0) {
        not_known(e, "versioning", denied, &err);
        return;
    }
    e->versioning_known = true;
    if (e->versioning != S3_VERSIONING_ON) {
        doctor_add(e->r, DOCTOR_WARNING, "versioning", "%s: what is deleted or overwritten is gone",
                   e->versioning == S3_VERSIONING_SUSPENDED ? "suspended" : "off");
        doctor_remedy(e->r, "turn it on, with a rule for old versions: then a thief's deletions can be undone");
        return;
    }
    doctor_add(e->r, DOCTOR_FINE, "versioning", "on");
    if (s3_get_object_lock(e->s3, &lock, &denied, &err) < 0)
        not_known(e, "object lock", denied, &err);
    else if (!lock.enabled)
        doctor_add(e->r, DOCTOR_UNKNOWN, "object lock", "off");
    else if (!*lock.mode)
        doctor_add(e->r, DOCTOR_UNKNOWN, "object lock", "on, but nothing is locked by default");
    else
        doctor_add(e->r, DOCTOR_FINE, "object lock", "%s, %d %s", lock.mode, lock.years > 0 ? lock.years : lock.days,
                   lock.years > 0 ? "years" : "days");
}

void doctor_bucket_protection(struct doctor_exam *e)
{
    if (!e->s3 || !e->answers)
        return;
    look_at_encryption(e);
    look_at_versions(e);
}

/* ---- lifecycle ------------------------------------------------------------------------------------------------- */

void doctor_bucket_lifecycle(struct doctor_exam *e)
{
    struct doctor_lifecycle l = { .base = e->base,
                                  .environment = e->p->environment,
                                  .newest = e->newest,
                                  .versioned = e->versioning_known && e->versioning != S3_VERSIONING_OFF,
                                  .now = e->p->now };
    struct s3_rule *rules = NULL;
    struct err err = { 0 };
    bool denied;

    if (!e->s3 || !e->answers)
        return;
    if (s3_get_lifecycle(e->s3, &rules, &l.n, &denied, &err) < 0) {
        not_known(e, "lifecycle", denied, &err);
    } else {
        l.rules = rules;
        doctor_rules_lifecycle(e->r, &l);
    }
    free(rules);
}

/* ---- uploads --------------------------------------------------------------------------------------------------- */

void doctor_bucket_uploads(struct doctor_exam *e)
{
    struct err err = { 0 };
    char age[LISTING_AGE];
    time_t oldest;
    bool denied;
    size_t n;

    if (!e->s3 || !e->answers)
        return;
    if (repository_open_uploads(e->store, e->p->now, &n, &oldest, &denied, &err) < 0) {
        not_known(e, "open uploads", denied, &err);
    } else if (n == 0) {
        doctor_add(e->r, DOCTOR_FINE, "open uploads", "none is older than a day");
    } else {
        doctor_add(e->r, DOCTOR_WARNING, "open uploads", "%zu older than a day, the oldest %s: their parts cost money",
                   n, listing_age(age, oldest, e->p->now));
        doctor_remedy(e->r, "a rule that aborts them after days clears them: `sfb prune --lifecycle --apply` sets one");
    }
}
