/* SPDX-License-Identifier: PostgreSQL */
/* doctor.h - would a backup work here, and a restore? Looks at everything they need, and says what to do.
 *
 * Changes nothing, but with `write`, which puts and deletes ENV/daily/.sfb-doctor in the store. What the identity may
 * not ask (a backup needs PutObject alone) is not known, which is no trouble. Nothing is tried for long.
 *
 *     doctor_examine(&params, &report, err);
 *     for (size_t i = 0; i < report.n; i++) doctor_line(&out, &report.items[i]);
 */
#pragma once
#include <stdbool.h>
#include <time.h>
#include "core/backup/settings.h"
#include "core/base/buf.h"
#include "core/base/err.h"

enum doctor_state {
    DOCTOR_FINE,
    DOCTOR_UNKNOWN, /* or not there, and not needed */
    DOCTOR_WARNING, /* works, but will hurt */
    DOCTOR_BROKEN,
};

struct doctor_finding {
    enum doctor_state state;
    char topic[32], text[1024];
    char remedy[1024]; /* "": none is needed, or none is known */
};

#define DOCTOR_FINDINGS 96
struct doctor_report {
    struct doctor_finding items[DOCTOR_FINDINGS]; /* what is beyond is dropped */
    size_t n;
};

struct doctor_params {
    const struct settings *settings;
    const char *environment;
    bool write;
    time_t now;
    void (*found)(void *cookie, const struct doctor_finding *f); /* NULL, or: called for each as it is found */
    void *cookie;
};

/* -1 and err only when it could not go on (a signal); what is wrong is in the report. */
int doctor_examine(const struct doctor_params *p, struct doctor_report *r, struct err *err);

size_t doctor_count(const struct doctor_report *r, enum doctor_state state);

/* ---- as people and programs read it ------------------------------------------------------------------------------ */

/* "✅ topic: text", and the remedy on a line of its own. Whatever the text holds, it stays one line. */
void doctor_line(struct buf *out, const struct doctor_finding *f);
void doctor_summary(struct buf *out, const struct doctor_report *r);
int doctor_json(struct buf *out, const struct doctor_report *r, const char *environment, struct err *err);

/* ---- for those who examine --------------------------------------------------------------------------------------- */

void doctor_add(struct doctor_report *r, enum doctor_state state, const char *topic, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* To the last finding. */
void doctor_remedy(struct doctor_report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A failure: its message is the text, its hint the remedy. */
void doctor_add_err(struct doctor_report *r, enum doctor_state state, const char *topic, const struct err *err);
