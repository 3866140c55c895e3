/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/alert_state.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"

#define VERSION 1
#define STATE_MAX ((size_t)4 * 1024 * 1024)
#define ALERT_MAX ((size_t)256 * 1024)
#define AHEAD 3600 /* told later than now, by more than a clock may be wrong: it does not count */

/* ---- decisions ----------------------------------------------------------------------------------------------------- */

static void forget_told(struct alert_state *st, size_t i)
{
    free(st->told[i].condition);
    st->n_told--;
    memmove(&st->told[i], &st->told[i + 1], (st->n_told - i) * sizeof *st->told);
    st->changed = true;
}

static struct alert_told *find_told(struct alert_state *st, const char *condition, const char *key)
{
    for (size_t i = 0; i < st->n_told; i++)
        if (strcmp(st->told[i].condition, condition) == 0 && strcmp(st->told[i].key, key) == 0)
            return &st->told[i];
    return NULL;
}

/* NULL only without memory. */
static struct alert_told *add_told(struct alert_state *st, const char *condition, const char *key, time_t now)
{
    struct alert_told *t;
    char *copy = strdup(condition);

    if (!copy)
        return NULL;
    if (st->n_told == ALERT_TOLD_MAX)
        forget_told(st, 0);
    t = &st->told[st->n_told++];
    *t = (struct alert_told){ .condition = copy, .since = now, .told = now };
    snprintf(t->key, sizeof t->key, "%s", key);
    return t;
}

bool alert_state_failed(struct alert_state *st, const char *condition, const char *key, time_t now, int repeat_hours,
                        time_t *since, unsigned *times)
{
    struct alert_told *t = find_told(st, condition, key);

    *since = 0;
    *times = 1;
    st->changed = true;
    if (!t) {
        t = add_told(st, condition, key, now);
        if (t)
            t->times = 1;
        return true;
    }
    t->times++;
    *since = t->since;
    *times = t->times;
    if (now - t->told < (time_t)repeat_hours * 3600 && t->told <= now + AHEAD)
        return false;
    t->told = now;
    return true;
}

bool alert_state_succeeded(struct alert_state *st, const char *condition, time_t *since, unsigned *times)
{
    bool had = false;

    *since = 0;
    *times = 0;
    for (size_t i = 0; i < st->n_told;) {
        const struct alert_told *t = &st->told[i];

        if (strcmp(t->condition, condition) != 0) {
            i++;
            continue;
        }
        if (!had || t->since < *since)
            *since = t->since;
        *times += t->times;
        had = true;
        forget_told(st, i);
    }
    return had;
}

static void forget_waiting(struct alert_state *st, size_t i)
{
    alert_release(&st->waiting[i].alert);
    st->n_waiting--;
    memmove(&st->waiting[i], &st->waiting[i + 1], (st->n_waiting - i) * sizeof *st->waiting);
    st->changed = true;
}

void alert_state_wait(struct alert_state *st, struct alert *a, const char *key, unsigned channels)
{
    struct alert_waiting *w;

    for (size_t i = 0; *key && i < st->n_waiting;) {
        if (strcmp(st->waiting[i].key, key) == 0)
            forget_waiting(st, i);
        else
            i++;
    }
    if (st->n_waiting == ALERT_WAITING_MAX) {
        log_warn("too many alerts wait to be delivered; given up: %s", st->waiting[0].alert.title);
        forget_waiting(st, 0);
    }
    w = &st->waiting[st->n_waiting++];
    w->alert = *a;
    w->channels = channels;
    snprintf(w->key, sizeof w->key, "%s", key);
    memset(a, 0, sizeof *a);
    st->changed = true;
}

size_t alert_state_sweep(struct alert_state *st, unsigned configured, time_t now)
{
    size_t given_up = 0;

    for (size_t i = 0; i < st->n_waiting;) {
        struct alert_waiting *w = &st->waiting[i];
        bool old = now - w->alert.time > ALERT_WAITING_SECONDS;

        w->channels &= configured;
        given_up += old && w->channels != 0;
        if (old || w->channels == 0)
            forget_waiting(st, i);
        else
            i++;
    }
    return given_up;
}

void alert_state_release(struct alert_state *st)
{
    while (st->n_told > 0)
        forget_told(st, st->n_told - 1);
    while (st->n_waiting > 0)
        forget_waiting(st, st->n_waiting - 1);
}

/* ---- the file ------------------------------------------------------------------------------------------------------ */

static const char *text_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static bool time_of(const cJSON *object, const char *name, time_t *t)
{
    const char *text = text_of(object, name);

    return text && clock_parse_iso(text, t);
}

/* One that is damaged is passed over: then its failure is told again. */
static void read_told(struct alert_state *st, const cJSON *one)
{
    const char *condition = text_of(one, "condition"), *key = text_of(one, "key");
    const cJSON *times = cJSON_GetObjectItemCaseSensitive(one, "times");
    struct alert_told *t;
    time_t since, told;

    if (!condition || !key || strlen(key) >= ALERT_ID || !time_of(one, "since", &since) ||
        !time_of(one, "told", &told) || !cJSON_IsNumber(times) || !(times->valuedouble >= 1) ||
        st->n_told == ALERT_TOLD_MAX || !(t = add_told(st, condition, key, told)))
        return;
    t->since = since;
    t->times = times->valuedouble < 1e6 ? (unsigned)times->valuedouble : 1000000;
}

static void read_waiting(struct alert_state *st, const cJSON *one)
{
    const cJSON *alert = cJSON_GetObjectItemCaseSensitive(one, "alert");
    const cJSON *channels = cJSON_GetObjectItemCaseSensitive(one, "channels");
    char *json = cJSON_IsObject(alert) ? cJSON_PrintUnformatted(alert) : NULL;
    const char *key = text_of(one, "key");
    struct err ignored = { 0 };
    struct alert a;

    if (json && key && strlen(key) < ALERT_ID && cJSON_IsNumber(channels) && channels->valuedouble > 0 &&
        channels->valuedouble < 256 && st->n_waiting < ALERT_WAITING_MAX && alert_parse(&a, json, &ignored) == 0)
        alert_state_wait(st, &a, key, (unsigned)channels->valuedouble);
    free(json);
}

void alert_state_load(struct alert_state *st, const char *path)
{
    struct err err = { 0 };
    struct buf text;
    cJSON *root = NULL;
    const cJSON *one;

    memset(st, 0, sizeof *st);
    if (access(path, F_OK) < 0)
        return;
    buf_init(&text, STATE_MAX);
    if (os_read_file(path, &text, &err) == 0)
        root = cJSON_ParseWithLength(text.data, text.size);
    if (!cJSON_IsObject(root)) {
        log_warn("%s can't be read%s%s; it is begun anew", path, err.message[0] ? ": " : "", err.message);
        st->changed = true;
    } else {
        cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(root, "told"))
        {
            read_told(st, one);
        }
        cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(root, "waiting"))
        {
            read_waiting(st, one);
        }
        st->changed = false;
    }
    cJSON_Delete(root);
    buf_release(&text);
}

static bool write_told(cJSON *array, const struct alert_told *t)
{
    cJSON *one = cJSON_CreateObject();
    char since[CLOCK_TEXT], told[CLOCK_TEXT];

    if (!cJSON_AddItemToArray(array, one)) {
        cJSON_Delete(one);
        return false;
    }
    return cJSON_AddStringToObject(one, "condition", t->condition) && cJSON_AddStringToObject(one, "key", t->key) &&
           cJSON_AddStringToObject(one, "since", clock_iso(since, t->since)) &&
           cJSON_AddStringToObject(one, "told", clock_iso(told, t->told)) &&
           cJSON_AddNumberToObject(one, "times", t->times);
}

static bool write_waiting(cJSON *array, const struct alert_waiting *w)
{
    cJSON *one = cJSON_CreateObject(), *alert = NULL;
    struct err ignored = { 0 };
    struct buf json;
    bool good = false;

    buf_init(&json, ALERT_MAX);
    if (!cJSON_AddItemToArray(array, one)) {
        cJSON_Delete(one);
        goto out;
    }
    if (alert_json(&json, &w->alert, &ignored) < 0 || !(alert = cJSON_Parse(json.data)))
        goto out;
    if (!cJSON_AddItemToObject(one, "alert", alert)) {
        cJSON_Delete(alert);
        goto out;
    }
    good = cJSON_AddStringToObject(one, "key", w->key) && cJSON_AddNumberToObject(one, "channels", w->channels);
out:
    buf_release(&json);
    return good;
}

int alert_state_save(struct alert_state *st, const char *path, struct err *err)
{
    cJSON *root = cJSON_CreateObject(), *told, *waiting;
    char *text = NULL;
    int rc = -1;

    if (!cJSON_AddNumberToObject(root, "version", VERSION) || !(told = cJSON_AddArrayToObject(root, "told")) ||
        !(waiting = cJSON_AddArrayToObject(root, "waiting")))
        goto out;
    for (size_t i = 0; i < st->n_told; i++)
        if (!write_told(told, &st->told[i]))
            goto out;
    for (size_t i = 0; i < st->n_waiting; i++)
        if (!write_waiting(waiting, &st->waiting[i]))
            goto out;
    text = cJSON_PrintUnformatted(root);
    if (!text)
        goto out;
    rc = os_write_file(path, text, strlen(text), err);
    st->changed = rc < 0;
out:
    if (rc < 0)
        err_no_memory(err); /* unless something else has been said */
    free(text);
    cJSON_Delete(root);
    return rc;
}
