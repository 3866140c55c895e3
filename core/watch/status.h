/* SPDX-License-Identifier: PostgreSQL */
/* status.h - how the backups of an environment stand: facts and a time in, checks out.
 *
 * The contract's table "Monitoring Requirements", and more that matters. Judging is pure (status.c); status_facts.h
 * gathers what there is to judge; others print it: text (status_text.c), JSON, Prometheus (status_prometheus.c), HTML.
 *
 *     status_gather(&params, &facts, err);
 *     status_judge(&facts, clock_now(), &status);
 *     status_line(&out, &status);                     // "OK - newest backup 3 h ago, proven 2 d ago | ..."
 *     status_release_facts(&facts);                   // status points into it
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include "core/backup/manifest.h"
#include "core/backup/proofs.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/watch/history.h"

/* As monitoring plugins have them: also the exit codes of `sfb status`. */
enum status_level { STATUS_OK, STATUS_WARNING, STATUS_CRITICAL, STATUS_UNKNOWN };

/* ---- what is known ---------------------------------------------------------------------------------------------- */

/* One backup, from whoever knows of it: the history, the store's list, the cache. */
struct status_backup {
    char *file; /* "backup-20251023-020000.dump": the same everywhere */
    time_t started;
    uint64_t size;
    char *format; /* "custom gzip 6"; NULL: not known, the file's ending has to do */
    bool ran;     /* the history says that it was made, and is good */
    bool stored;  /* whole in the store: dump and manifest */
    bool cached;  /* whole in the cache */
};

struct status_facts {
    char *environment;
    int schedule_hours; /* SFB_SCHEDULE_HOURS; 0: none */
    int rto_minutes;    /* SFB_RTO_MINUTES; 0: none */
    int drill_days;     /* SFB_DRILL_DAYS; 0: none are expected */

    struct history history;        /* this host's and the store's, oldest first: for charts, too */
    struct status_backup *backups; /* newest first; each once, however many copies there are */
    size_t n_backups;
    struct proofs proofs; /* the drills' reports */

    bool audit_read;        /* the audit log, or its newest part, was compared with its chain */
    char *audit_damage;     /* what is wrong with it; NULL: nothing */
    char *audit_trouble;    /* why it could not be read; NULL: it could, or there is none */
    uint64_t audit_entries; /* how many were looked at */
    uint64_t audit_first;   /* the number of the first of them; 0: none */

    bool store_asked;          /* a store was named, or is known to be used */
    bool store_listed;         /* it has told what it holds */
    bool store_denied;         /* this identity may not list it */
    char *store_trouble;       /* why it could not be asked; NULL: it could, or was not */
    size_t stored[TIER_COUNT]; /* whole backups in each tier (manual ones: of every environment) */
    uint64_t stored_bytes[TIER_COUNT];
    size_t unfinished;    /* dumps older than a day without a manifest */
    size_t orphans;       /* manifests without their dump */
    char *orphan;         /* the newest of them: a key */
    size_t disagreements; /* cached backups that the store should have and has not, or not the same */
    char *disagreement;   /* the newest of them, in words */
    bool uploads_known;   /* open multipart uploads were asked for */
    size_t open_uploads;  /* those older than a day */
    time_t oldest_upload; /* 0: none */
    bool clock_known;     /* the store's server told its time */
    double clock_ahead;   /* this host's clock minus the server's, seconds */
    time_t certificate;   /* until when the server's is good; 0: not known */
};

/* ---- what it means ---------------------------------------------------------------------------------------------- */

enum status_unit { STATUS_NUMBER, STATUS_SECONDS, STATUS_BYTES, STATUS_PERCENT };

struct status_check {
    const char *name;  /* "backup_age": for programs; stays */
    const char *title; /* "Last successful backup" */
    enum status_level level;
    char text[384]; /* "3 h ago: backup-20251023-020000.dump, 1.2 GB" */
    bool known;     /* value is one */
    double value;   /* as judged */
    enum status_unit unit;
    double warning, critical; /* beyond which it is that bad; NAN: never */
    bool least;               /* "beyond" is below: a success rate */
};

#define STATUS_CHECKS 24
struct status {
    const struct status_facts *facts;
    time_t now;
    enum status_level level; /* the worst; what is unknown counts only when nothing at all is known of backups */
    char summary[384];       /* the first line without its level: what is wrong, else "newest backup 3 h ago, ..." */
    struct status_check checks[STATUS_CHECKS];
    size_t n;
    const struct status_backup *newest; /* the newest good backup; NULL: none */
    time_t proven;                      /* the moment that the newest proven backup holds; 0: none */
    size_t drills;                      /* the last ones that succeeded, up to STATUS_DRILLS, for the three below */
    double recovery, recovery_median, recovery_worst; /* seconds: of the newest, and of all of them */
};

#define STATUS_DRILLS 5
#define STATUS_WINDOW_DAYS 7 /* for rates, growth and missed runs */

void status_judge(const struct status_facts *facts, time_t now, struct status *out);
void status_release_facts(struct status_facts *facts);

const char *status_level_name(enum status_level level); /* "OK" */

/* The check of that name; NULL: there is none. */
const struct status_check *status_find(const struct status *s, const char *name);

/* ---- as people and programs read it ------------------------------------------------------------------------------ */

/* "OK - SUMMARY | backup_age=10800s;;90000;0 ...": the line that a monitoring plugin prints first. */
void status_line(struct buf *out, const struct status *s);
/* That line, then one for each check. */
void status_text(struct buf *out, const struct status *s);
int status_json(struct buf *out, const struct status *s, struct err *err);
/* A page of its own (html.h), with charts of size, duration, rows and recovery. */
void status_html(struct buf *out, const struct status *s);

/* Prometheus's text format, of one or more environments. */
void status_prometheus(struct buf *out, const struct status *const *all, size_t n);
#define STATUS_METRICS_MAX ((size_t)256 * 1024)
