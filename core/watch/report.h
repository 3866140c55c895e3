/* SPDX-License-Identifier: PostgreSQL */
/* report.h - what a drill has shown, for people and for programs: as text, as JSON, and as a page to forward.
 *
 *     report_gather(&r, settings, &places, &result, &trouble, clock_now(), &err);
 *     report_text(&b, &r);  report_json(&b, &r, &err);  report_html(&b, &r);
 *     report_keep(settings, &places, &r, &kept, &err);     all three, in the state directory and in the store
 *     report_release(&r);
 *
 * Everything but report_gather and report_keep is pure. The JSON's shape is fixed by packaging/report.schema.json.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include "core/backup/drill.h"
#include "core/backup/places.h"
#include "core/backup/proofs.h"
#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/watch/history.h"
#include "core/watch/status.h"

#define REPORT_MAX ((size_t)64 * 1024 * 1024) /* bytes of one */
#define REPORT_MEASURED STATUS_DRILLS         /* the recovery time is that of the last so many drills that passed */

struct report_drill { /* one of the past, or this one */
    time_t started;
    bool passed;
    double recovery_seconds; /* 0: it did not get there */
    char *backup;            /* file name; "": none */
};

struct report {
    const struct drill_result *drill; /* the caller's, must outlive the report */
    enum proofs_verdict verdict;
    time_t made;
    char *name;                  /* of its files, without ending */
    char *environment;           /* whose backups were rehearsed */
    struct report_drill *drills; /* of that environment: the past ones, this one last */
    size_t n_drills;
    size_t measured;      /* of how many drills the next two are; 0: none passed yet */
    double median, worst; /* recovery time now, in seconds */
    time_t newest;        /* the moment of the newest proven backup; 0: none is proven */
    char *newest_backup;  /* "backup-20251023-020000" */
};

/* `why` is what drill_run failed with (its class ERR_NONE: it passed): a backup that does not bring the database back
 * is told apart from a drill that could not be done. This one is added to the proofs. */
int report_init(struct report *r, const struct drill_result *drill, const struct err *why,
                const struct history *history, struct proofs *proofs, time_t now, struct err *err);
void report_release(struct report *r);

/* The same, with what this host knows of the past, and the store where it can be read. */
int report_gather(struct report *r, const struct settings *s, const struct places *p, const struct drill_result *drill,
                  const struct err *why, time_t now, struct err *err);

const char *report_environment(const struct drill_result *drill); /* whose backup it is, or would have been */

/* Was anything rehearsed, so that there is something to tell? Not so when somebody said no, a signal came, another run
 * has the lock, or the settings are wrong. */
bool report_is_due(const struct err *why);

/* Seconds of work that the newest proven backup does not have; below 0: nothing is proven. */
double report_loss(const struct report *r);
const char *report_loss_text(char out[TEXT_SHORT], const struct report *r); /* in "the last ...": "minute", "3 days" */

/* The verdict: "The backup of ", the moment that it holds (0: not named), " brings the database back." */
struct report_sentence {
    const char *before;
    time_t taken;
    const char *after;
};
struct report_sentence report_sentence(const struct report *r);
void report_verdict(struct buf *out, const struct report *r); /* the same as text */

void report_text(struct buf *out, const struct report *r);
int report_json(struct buf *out, const struct report *r, struct err *err);
void report_html(struct buf *out, const struct report *r);

/* One of them, by a file's ending: .json, .txt, any other is the page. The file, which all may read, is replaced as
 * a whole. */
int report_write(struct buf *out, const struct report *r, const char *ending, struct err *err);
int report_write_file(const struct report *r, const char *path, struct err *err);

struct report_kept {
    char *path, *url; /* of the page; NULL: it is not kept there */
};

/* STATE_DIR/reports/ENV/NAME.html, .json and .txt; and ENV/reports/NAME.* in the store, when the settings name one or the
 * backup came from it: that needs only s3:PutObject. What the store does not take now is sent by a later run
 * (outbox.h). What can't be kept is warned about and is no failure; -1: the report
 * could not be made at all. Of the reports in the state directory the newest PROOFS_KEEP stay. */
int report_keep(const struct settings *s, const struct places *p, const struct report *r, struct report_kept *kept,
                struct err *err);
void report_kept_release(struct report_kept *kept);
