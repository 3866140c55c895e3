/* SPDX-License-Identifier: PostgreSQL */
/* status_build.h - standings of backups that never were, for test_status_html.c and test/live/tool_page.c.
 *
 * Everything is constant but the arrays, which struct standing holds: nothing but the proofs needs to be released.
 */
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "core/watch/status.h"

#define STANDING_NOW ((time_t)1761973980) /* 2025-11-01 05:13:00 UTC */
#define STANDING_DAYS 90
#define STANDING_EVIL "<script>alert(1)</script>\"' &amp; \xE2\x80\xAEtxt.exe\nnext\x1B[31m\xFF"

struct standing {
    struct status_facts facts;
    struct status status;
    struct run runs[2 * STANDING_DAYS];
    struct status_backup backups[STANDING_DAYS];
    char files[STANDING_DAYS][64];
};

static struct run *standing_run(struct standing *s, enum run_kind kind, time_t started, int exit_code)
{
    struct run *r = &s->runs[s->facts.history.n++];

    *r = (struct run){
        .kind = kind, .begun = true, .environment = (char *)"production", .started = started, .exit_code = exit_code
    };
    if (exit_code != 0)
        r->error = (char *)"connection to server at \"10.0.0.7\", port 5432 failed: Connection refused";
    return r;
}

static struct standing *standing_new(void)
{
    struct standing *s = calloc(1, sizeof *s);

    if (s == NULL)
        abort();
    s->facts = (struct status_facts){ .environment = (char *)"production",
                                      .schedule_hours = 24,
                                      .rto_minutes = 60,
                                      .drill_days = 36,
                                      .history = { .runs = s->runs },
                                      .backups = s->backups };
    return s;
}

/* Daily backups that grow, a drill a week: all is well, but for one night that failed. */
static struct standing *standing_fine(void)
{
    struct standing *s = standing_new();
    struct err err = { 0 };

    for (int day = STANDING_DAYS - 1; day >= 0; day--) {
        time_t t = STANDING_NOW - 3 * 3600 - 780 - (time_t)day * 86400;
        struct run *r = standing_run(s, RUN_BACKUP, t, day == 40 ? 1 : 0);
        double wave = (double)((day * 37) % 11);
        char *file = s->files[day], name[128];
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(file, sizeof s->files[day], "backup-%Y%m%d-%H%M%S.dump", &tm);
        if (r->exit_code == 0) {
            r->seconds = 340 + wave * 9 - day;
            r->size = (uint64_t)(1288490189.0 - day * 3.1e6 + wave * 2e6);
            r->rows = (uint64_t)(4403324 - day * 9100 + wave * 500);
            r->verified = r->stored = true;
            r->backup = file;
        }
        s->backups[day] = (struct status_backup){
            .file = file, .started = t, .size = r->size, .ran = r->exit_code == 0, .stored = day < 30, .cached = day < 7
        };
        if (day % 7 != 3)
            continue;
        r = standing_run(s, RUN_DRILL, t + 7200, 0);
        r->seconds = 330 + wave;
        r->recovery_seconds = 262 + wave * 4;
        r->proven = r->verified = true;
        r->taken = t;
        r->backup = file;
        strftime(name, sizeof name, "drill-%Y%m%d-040000-passed-backup-%Y%m%d-%H%M%S", &tm);
        if (proofs_add(&s->facts.proofs, "production", name, t, &err) < 0)
            abort();
    }
    s->facts.n_backups = STANDING_DAYS;
    s->facts.store_asked = s->facts.store_listed = s->facts.uploads_known = s->facts.clock_known = true;
    s->facts.stored[TIER_DAILY] = 30;
    s->facts.stored[TIER_WEEKLY] = 12;
    s->facts.stored[TIER_MONTHLY] = 4;
    s->facts.stored[TIER_MANUAL] = 1;
    s->facts.stored_bytes[TIER_DAILY] = UINT64_C(30) * 1250000000;
    s->facts.stored_bytes[TIER_WEEKLY] = UINT64_C(12) * 1150000000;
    s->facts.certificate = STANDING_NOW + 60 * 86400;
    return s;
}

/* No backup for four days, the last drill failed, the store can't be asked. */
static struct standing *standing_trouble(void)
{
    struct standing *s = standing_fine();
    struct err err = { 0 };

    for (size_t i = 0; i < s->facts.history.n; i++)
        if (s->runs[i].started > STANDING_NOW - 4 * 86400) {
            s->runs[i].exit_code = 1;
            s->runs[i].error = (char *)"the disk is full";
        }
    s->facts.backups += 4;
    s->facts.n_backups -= 4;
    s->facts.store_listed = s->facts.uploads_known = s->facts.clock_known = false;
    s->facts.store_trouble = (char *)"s3://signupflow-backups: 403 AccessDenied";
    if (proofs_add(&s->facts.proofs, "production", "drill-20251030-040000-failed-backup-20251028-020000", 0, &err) < 0)
        abort();
    return s;
}

static struct standing *standing_hostile(void)
{
    struct standing *s = standing_trouble();

    s->facts.store_trouble = s->facts.environment = (char *)STANDING_EVIL;
    for (size_t i = 0; i < s->facts.history.n; i++) {
        s->runs[i].environment = (char *)STANDING_EVIL;
        s->runs[i].error = s->runs[i].exit_code != 0 ? (char *)STANDING_EVIL : NULL;
        s->runs[i].backup = (char *)STANDING_EVIL;
    }
    return s;
}

static void standing_page(struct buf *out, struct standing *s)
{
    status_judge(&s->facts, STANDING_NOW, &s->status);
    status_html(out, &s->status);
}

static void standing_free(struct standing *s)
{
    proofs_release(&s->facts.proofs);
    free(s);
}
