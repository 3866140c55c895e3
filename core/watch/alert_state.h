/* SPDX-License-Identifier: PostgreSQL */
/* alert_state.h - what has been told, and what still waits to be: STATE_DIR/alerts.json, under STATE_DIR/alerts.lock.
 *
 * A file that can't be read as what it should be is warned about and begun anew: at worst an alert is told twice. It is
 * replaced as a whole, so a crash leaves the old one or the new one. The decisions are pure: they take the time.
 */
#pragma once
#include "core/watch/alert_text.h"

#define ALERT_WAITING_MAX 20                  /* alerts; the oldest goes when there are more */
#define ALERT_WAITING_SECONDS (7 * 24 * 3600) /* an older one is given up */
#define ALERT_TOLD_MAX 200

struct alert_told {
    char *condition;    /* "backup production" */
    char key[ALERT_ID]; /* which failure */
    time_t since, told; /* the first, and when it was last told */
    unsigned times;     /* runs that failed so */
};

struct alert_waiting {
    struct alert alert;
    char key[ALERT_ID]; /* of the failure, "": it is none */
    unsigned channels;  /* 1 << enum alert_channel: those it has still to go to */
};

struct alert_state {
    struct alert_told told[ALERT_TOLD_MAX];
    size_t n_told;
    struct alert_waiting waiting[ALERT_WAITING_MAX]; /* oldest first */
    size_t n_waiting;
    bool changed;
};

/* path: of the file. No file is an empty state. */
void alert_state_load(struct alert_state *st, const char *path);
int alert_state_save(struct alert_state *st, const char *path, struct err *err);
void alert_state_release(struct alert_state *st);

/* This failure has happened. true: it is to be told now; *since and *times are then of it, *since 0 the first time. */
bool alert_state_failed(struct alert_state *st, const char *condition, const char *key, time_t now, int repeat_hours,
                        time_t *since, unsigned *times);

/* It went well. true: it had failed, and that it works again is to be told; what was remembered of it is forgotten. */
bool alert_state_succeeded(struct alert_state *st, const char *condition, time_t *since, unsigned *times);

/* Takes *a over, to go to `channels`; one of the same key that still waits is replaced. */
void alert_state_wait(struct alert_state *st, struct alert *a, const char *key, unsigned channels);

/* Drops what has arrived everywhere, what is too old, and channels that are none any more. Returns how many alerts were
 * given up. */
size_t alert_state_sweep(struct alert_state *st, unsigned configured, time_t now);
