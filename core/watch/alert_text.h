/* SPDX-License-Identifier: PostgreSQL */
/* alert_text.h - an alert, and its forms: Slack's blocks, a mail, JSON. Pure: no clock, no network.
 *
 * As JSON (what SFB_WEBHOOK_URL is sent, and what the state directory keeps), version 1:
 *
 *     { "version": 1, "id": "f3a9...", "event": "failed", "time": "2025-10-23T02:00:15Z",
 *       "headline": "❌ Database backup failed", "title": "Database Backup Failed",
 *       "fields": [ { "name": "Environment", "value": "production" }, ..., { "name": "Host", "value": "db1", "detail": true } ],
 *       "action": "Investigate database connectivity", "run": { ... } }
 *
 * event: failed, recovered, warning (daily digest), summary (weekly), test. id is the same when the same alert is sent
 * again. run is the run's line of the history (run.h), and is not there for a digest or a test. Later versions of 1
 * may add members.
 */
#pragma once
#include <stdbool.h>
#include <time.h>
#include "core/backup/settings.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/watch/run.h"

enum alert_event { ALERT_FAILED, ALERT_RECOVERED, ALERT_WARNING, ALERT_SUMMARY, ALERT_TEST, ALERT_EVENTS };

#define ALERT_ID 33 /* 32 hexadecimal digits */
#define ALERT_FIELDS 64

struct alert {
    enum alert_event event;
    char id[ALERT_ID];
    time_t time;
    char *headline, *title; /* "❌ Database backup failed", "Database Backup Failed" */
    char *action;           /* what to do; NULL: nothing */
    struct alert_field {
        char *name, *value; /* one line each */
        bool detail;        /* in mails and JSON, not in Slack */
    } fields[ALERT_FIELDS];
    size_t n_fields;
    char *run; /* the run as JSON; NULL: there is none */
};

/* With a new id. Texts are copied. */
int alert_init(struct alert *a, enum alert_event event, time_t t, const char *headline, const char *title,
               struct err *err);
void alert_release(struct alert *a);
int alert_action(struct alert *a, const char *action, struct err *err);
/* More than ALERT_FIELDS are dropped. What would be more than one line is made visible. */
int alert_field(struct alert *a, const char *name, const char *value, bool detail, struct err *err);

/* The same, with the secrets of s hidden in the value; one that is empty is left out. */
int alert_field_clean(struct alert *a, const char *name, const char *value, bool detail, const struct settings *s,
                      struct err *err);

/* What a run's end says. FAILED and RECOVERED. Secrets of s are hidden in it. `since` 0, or: it has failed since then,
 * `times` runs of it. */
int alert_of_run(struct alert *a, enum alert_event event, const struct run *r, time_t since, unsigned times,
                 const struct settings *s, struct err *err);

/* What makes two failures the same: equal conditions (kind, environment; of verify also the backup), equal errors but
 * for their numbers. */
void alert_condition(struct buf *out, const struct run *r);
void alert_key(char out[ALERT_ID], const struct run *r);

int alert_json(struct buf *out, const struct alert *a, struct err *err);
int alert_parse(struct alert *a, const char *json, struct err *err); /* ERR_DAMAGED; a is then empty */

/* The contract's message; blocks false: all of it in "text". */
int alert_slack(struct buf *out, const struct alert *a, bool blocks, struct err *err);

void alert_subject(struct buf *out, const struct alert *a);
void alert_plain(struct buf *out, const struct alert *a);
void alert_html(struct buf *out, const struct alert *a);
