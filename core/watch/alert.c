/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/alert.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/watch/alert_channel.h"
#include "core/watch/alert_heartbeat.h"
#include "core/watch/alert_send.h"
#include "core/watch/alert_state.h"

#define STATE_FILE "alerts.json"
#define LOCK_FILE "alerts.lock"
#define URL_MAX 8192
#define ALERT_BYTES ((size_t)1024 * 1024)
#define HASTE_SECONDS 8 /* for everything, when a signal has asked for the end */
#define DELIVERIES_MAX (ALERT_WAITING_MAX * ALERT_CHANNELS + 1)

bool alert_wanted(const struct settings *s)
{
    return alert_channel_all(s) != 0;
}

/* ---- the state, while we have it ----------------------------------------------------------------------------------- */

struct desk {
    struct alert_state state;
    char *path; /* NULL: nothing is remembered */
    struct os_lock lock;
};

/* Whatever is in the way of remembering, what is to be told now is told. */
static void desk_open(struct desk *d, const struct places *p)
{
    struct err err = { 0 };
    char *lock = p->state ? os_path(p->state, LOCK_FILE) : NULL;

    memset(d, 0, sizeof *d);
    d->lock.fd = -1;
    if (lock && os_lock_take(&d->lock, lock, ALERT_SECONDS + 5, &err) == 0)
        d->path = os_path(p->state, STATE_FILE);
    else if (err.class != ERR_NONE)
        log_warn("alerts are not remembered: %s", err.message);
    if (d->path)
        alert_state_load(&d->state, d->path);
    free(lock);
}

static void desk_save(struct desk *d)
{
    struct err err = { 0 };

    if (d->path && d->state.changed && alert_state_save(&d->state, d->path, &err) < 0)
        log_warn("alerts are not remembered: %s", err.message);
}

static void desk_close(struct desk *d)
{
    desk_save(d);
    alert_state_release(&d->state);
    os_lock_release(&d->lock);
    free(d->path);
}

/* ---- sending what waits ---------------------------------------------------------------------------------------------- */

static bool same_trouble(const struct alert_delivery *a, const struct alert_delivery *b)
{
    return a->channel == b->channel && !a->delivered && !b->delivered && strcmp(a->err.message, b->err.message) == 0;
}

/* One warning for a channel that is down, however many alerts wait for it. */
static void warn(const struct settings *s, const struct alert_delivery *list, size_t n, size_t i, bool kept)
{
    const struct alert_delivery *d = &list[i];
    char where[256], more[32] = "";
    unsigned others = 0;

    for (size_t j = 0; j < n; j++) {
        if (j < i && same_trouble(&list[j], d))
            return;
        others += j > i && same_trouble(&list[j], d);
    }
    if (others > 0)
        snprintf(more, sizeof more, " (and %u more)", others);
    alert_channel_where(where, s, d->channel);
    if (d->delivered)
        log_warn("the alert went by %s (%s), but %s", alert_channel_name(d->channel), where, d->err.message);
    else if (d->channel == ALERT_HEARTBEAT)
        log_warn("the heartbeat's monitor was not reached: %s", d->err.message);
    else
        log_warn("the alert \"%s\"%s could not be sent by %s: %s; %s", d->alert->title, more,
                 alert_channel_name(d->channel), d->err.message,
                 kept ? "it is tried again when the next run ends" : "it is not kept: there is no state directory");
    if (d->err.hint[0])
        log_warn("%s", d->err.hint);
}

/* To every channel that it has still to go to, and the heartbeat's URL when there is one. Saved before and after: what
 * is interrupted in between is sent by the next run, with the same id. */
static void send_waiting(struct desk *desk, const struct settings *s, const char *beat, double seconds, bool regardless)
{
    struct alert_delivery *list = calloc(DELIVERIES_MAX, sizeof *list);
    struct alert_state *st = &desk->state;
    size_t owner[DELIVERIES_MAX], n = 0;

    if (!list) {
        log_warn("no memory to send alerts");
        return;
    }
    for (size_t i = 0; i < st->n_waiting; i++)
        for (unsigned channel = 0; channel < ALERT_HEARTBEAT; channel++)
            if (st->waiting[i].channels & 1U << channel) {
                owner[n] = i;
                list[n++] = (struct alert_delivery){ .channel = (enum alert_channel)channel,
                                                     .alert = &st->waiting[i].alert };
            }
    if (*beat)
        list[n++] = (struct alert_delivery){ .channel = ALERT_HEARTBEAT, .url = beat };
    if (n > 0)
        alert_send(s, list, n, seconds, regardless);
    for (size_t i = 0; i < n; i++) {
        if (list[i].delivered && list[i].channel != ALERT_HEARTBEAT) {
            st->waiting[owner[i]].channels &= ~(1U << list[i].channel);
            st->changed = true;
        }
        if (list[i].err.message[0])
            warn(s, list, n, i, desk->path != NULL);
    }
    free(list);
}

/* ---- a run ----------------------------------------------------------------------------------------------------------- */

static bool is_of_interest(const struct run *r)
{
    if (r->kind == RUN_NONE || r->unrecorded || r->exit_code == RUN_BUSY)
        return false;
    return !(r->signal == SIGINT && isatty(STDIN_FILENO)); /* whoever pressed Ctrl-C knows */
}

static int repeat_hours(const struct settings *s)
{
    struct err err = { 0 };
    int hours = 24;

    if (settings_int(s, SETTING_ALERT_REPEAT_HOURS, 0, 8760, &hours, &err) < 0)
        log_warn("%s", err.message);
    return hours;
}

/* What the run has to tell, into the state's waiting ones. */
static int decide(struct alert_state *st, const struct settings *s, const struct run *r, time_t now, struct err *err)
{
    bool failed = r->exit_code != 0, due;
    char key[ALERT_ID];
    struct buf condition;
    struct alert a;
    unsigned times;
    time_t since;
    int rc = -1;

    buf_init(&condition, 4096);
    alert_condition(&condition, r);
    if (buf_check(&condition, err) < 0)
        goto out;
    alert_key(key, r);
    if (failed)
        due = alert_state_failed(st, condition.data, key, now, repeat_hours(s), &since, &times);
    else
        due = alert_state_succeeded(st, condition.data, &since, &times);
    rc = 0;
    if (!due)
        goto out;
    rc = alert_of_run(&a, failed ? ALERT_FAILED : ALERT_RECOVERED, r, since, times, s, err);
    if (rc == 0)
        alert_state_wait(st, &a, failed ? key : "", alert_channel_all(s));
out:
    buf_release(&condition);
    return rc;
}

/* Success is one that was verified; of what is no backup, and has nothing to verify, one that ended well. */
static void beat_of(struct buf *url, const struct settings *s, const struct run *r)
{
    bool good = r->exit_code == 0;

    if (!alert_heartbeat_counts(s, r->kind, r->environment))
        return;
    if (good && r->kind == RUN_BACKUP && !r->verified)
        return;
    alert_heartbeat_url(url, s, good ? ALERT_BEAT_SUCCESS : ALERT_BEAT_FAIL);
}

void alert_begin(const struct settings *s, const struct run *r)
{
    struct alert_delivery start = { .channel = ALERT_HEARTBEAT };
    struct buf url;

    buf_init(&url, URL_MAX);
    if (is_of_interest(r) && alert_heartbeat_counts(s, r->kind, r->environment))
        alert_heartbeat_url(&url, s, ALERT_BEAT_START);
    if (url.size > 0 && !url.failed) {
        start.url = url.data;
        alert_send(s, &start, 1, ALERT_START_SECONDS, false);
        if (start.err.message[0] && !os_interrupted())
            warn(s, &start, 1, 0, false);
    }
    buf_release(&url);
}

void alert_run(const struct settings *s, const struct places *p, const struct run *r)
{
    unsigned channels = alert_channel_all(s);
    struct err err = { 0 };
    struct desk desk;
    struct buf beat;
    time_t now = clock_now();

    buf_init(&beat, URL_MAX);
    if (is_of_interest(r))
        beat_of(&beat, s, r);
    if (!is_of_interest(r) || (channels == 0 && beat.size == 0))
        goto out;
    if (channels == 0) { /* nothing to be remembered */
        desk = (struct desk){ .lock = { .fd = -1 } };
    } else {
        desk_open(&desk, p);
        if (alert_state_sweep(&desk.state, channels, now) > 0)
            log_warn("an alert that could not be delivered for a week is given up");
        if (decide(&desk.state, s, r, now, &err) < 0)
            log_warn("an alert could not be written: %s", err.message);
        desk_save(&desk);
    }
    send_waiting(&desk, s, beat.failed ? "" : beat.data, r->signal ? HASTE_SECONDS : ALERT_SECONDS, true);
    alert_state_sweep(&desk.state, channels, now);
    desk_close(&desk);
out:
    buf_release(&beat);
}

static bool is_waiting(const struct alert_state *st, const char *id)
{
    for (size_t i = 0; i < st->n_waiting; i++)
        if (strcmp(st->waiting[i].alert.id, id) == 0)
            return true;
    return false;
}

int alert_tell(const struct settings *s, const struct places *p, const struct alert *a, struct err *err)
{
    unsigned channels = alert_channel_all(s);
    struct alert copy;
    struct desk desk;
    struct buf json;
    int rc = -1;

    if (channels == 0) {
        err_set(err, ERR_CONFIG, "there is no channel to tell it by");
        err_hint(err, "set SFB_SLACK_WEBHOOK_URL, SFB_SMTP_URL and SFB_ALERT_TO, or SFB_WEBHOOK_URL");
        return -1;
    }
    buf_init(&json, ALERT_BYTES);
    desk_open(&desk, p);
    if (alert_json(&json, a, err) < 0 || alert_parse(&copy, json.data, err) < 0)
        goto out;
    alert_state_wait(&desk.state, &copy, "", channels);
    desk_save(&desk);
    send_waiting(&desk, s, "", ALERT_SECONDS, false);
    alert_state_sweep(&desk.state, channels, clock_now());
    if (os_check_interrupt(err) < 0)
        goto out;
    rc = is_waiting(&desk.state, a->id) ? err_set(err, ERR_STORE, "not every channel took it") : 0;
out:
    desk_close(&desk);
    buf_release(&json);
    return rc;
}

/* ---- trying it out --------------------------------------------------------------------------------------------------- */

static int write_test(struct alert *a, const struct settings *s, struct err *err)
{
    char when[CLOCK_TEXT], moment[CLOCK_TEXT + 4];
    time_t now = clock_now();

    if (alert_init(a, ALERT_TEST, now, "🔔 Test alert from sfb", "Test Alert", err) < 0)
        return -1;
    snprintf(moment, sizeof moment, "%s UTC", clock_log(when, now));
    if (alert_field(a, "Application", settings_get(s, SETTING_APP), false, err) < 0 ||
        alert_field(a, "Host", os_hostname(), false, err) < 0 || alert_field(a, "User", os_user(), false, err) < 0 ||
        alert_field(a, "Time", moment, false, err) < 0 ||
        alert_action(a, "None: somebody tries whether alerts arrive. They do", err) < 0) {
        alert_release(a);
        return -1;
    }
    return 0;
}

void alert_test(const struct settings *s, struct alert_outcome outcomes[ALERT_CHANNELS])
{
    struct alert_delivery list[ALERT_CHANNELS];
    struct err err = { 0 };
    struct alert a = { .n_fields = 0 };
    struct buf beat;
    size_t n = 0;

    memset(outcomes, 0, ALERT_CHANNELS * sizeof *outcomes);
    buf_init(&beat, URL_MAX);
    alert_heartbeat_url(&beat, s, ALERT_BEAT_SUCCESS);
    if (write_test(&a, s, &err) < 0)
        log_warn("the test alert could not be written: %s", err.message);
    for (int i = 0; a.title && i < ALERT_CHANNELS; i++) {
        enum alert_channel channel = (enum alert_channel)i;

        if (!(outcomes[i].configured = alert_channel_configured(s, channel)))
            continue;
        list[n++] = (struct alert_delivery){ .channel = channel, .alert = &a, .url = beat.data };
        alert_channel_where(outcomes[i].where, s, channel);
    }
    alert_send(s, list, n, ALERT_SECONDS, false);
    for (size_t i = 0; i < n; i++) {
        outcomes[list[i].channel].delivered = list[i].delivered;
        outcomes[list[i].channel].err = list[i].err;
    }
    alert_release(&a);
    buf_release(&beat);
}
