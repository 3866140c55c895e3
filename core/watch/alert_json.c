/* SPDX-License-Identifier: PostgreSQL */
/* alert_json.c - an alert as JSON (alert_text.h says what is in it), and back. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/watch/alert_text.h"

#define VERSION 1

static const char *const events[ALERT_EVENTS] = {
    [ALERT_FAILED] = "failed",   [ALERT_RECOVERED] = "recovered", [ALERT_WARNING] = "warning",
    [ALERT_SUMMARY] = "summary", [ALERT_TEST] = "test",
};

static bool put_fields(cJSON *array, const struct alert *a)
{
    for (size_t i = 0; i < a->n_fields; i++) {
        cJSON *field = cJSON_CreateObject();

        if (!cJSON_AddItemToArray(array, field)) {
            cJSON_Delete(field);
            return false;
        }
        if (!cJSON_AddStringToObject(field, "name", a->fields[i].name) ||
            !cJSON_AddStringToObject(field, "value", a->fields[i].value) ||
            (a->fields[i].detail && !cJSON_AddTrueToObject(field, "detail")))
            return false;
    }
    return true;
}

int alert_json(struct buf *out, const struct alert *a, struct err *err)
{
    cJSON *root = cJSON_CreateObject(), *run;
    char when[CLOCK_TEXT], *text = NULL;
    int rc = -1;

    if (!cJSON_AddNumberToObject(root, "version", VERSION) || !cJSON_AddStringToObject(root, "id", a->id) ||
        !cJSON_AddStringToObject(root, "event", events[a->event]) ||
        !cJSON_AddStringToObject(root, "time", clock_iso(when, a->time)) ||
        !cJSON_AddStringToObject(root, "headline", a->headline) || !cJSON_AddStringToObject(root, "title", a->title) ||
        !put_fields(cJSON_AddArrayToObject(root, "fields"), a) ||
        (a->action && !cJSON_AddStringToObject(root, "action", a->action)))
        goto out;
    run = a->run ? cJSON_Parse(a->run) : NULL;
    if (run && !cJSON_AddItemToObject(root, "run", run)) {
        cJSON_Delete(run);
        goto out;
    }
    text = cJSON_PrintUnformatted(root);
    if (!text)
        goto out;
    buf_puts(out, text);
    rc = 0;
out:
    free(text);
    cJSON_Delete(root);
    return rc < 0 ? err_no_memory(err) : buf_check(out, err);
}

/* ---- and back ---------------------------------------------------------------------------------------------------- */

static const char *text_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static int read_event(const char *name)
{
    for (int i = 0; name && i < ALERT_EVENTS; i++)
        if (strcmp(events[i], name) == 0)
            return i;
    return -1;
}

static int read_fields(struct alert *a, const cJSON *array, struct err *err)
{
    const cJSON *field;

    cJSON_ArrayForEach(field, array)
    {
        const char *name = text_of(field, "name"), *value = text_of(field, "value");

        if (!name || !value)
            return err_set(err, ERR_DAMAGED, "an alert that was kept is damaged: a field");
        if (alert_field(a, name, value, cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(field, "detail")), err) < 0)
            return -1;
    }
    return 0;
}

static int read_rest(struct alert *a, const cJSON *root, struct err *err)
{
    const cJSON *run = cJSON_GetObjectItemCaseSensitive(root, "run");
    const char *action = text_of(root, "action");

    if (read_fields(a, cJSON_GetObjectItemCaseSensitive(root, "fields"), err) < 0 ||
        (action && alert_action(a, action, err) < 0))
        return -1;
    if (cJSON_IsObject(run) && !(a->run = cJSON_PrintUnformatted(run)))
        return err_no_memory(err);
    return 0;
}

int alert_parse(struct alert *a, const char *json, struct err *err)
{
    cJSON *root = cJSON_Parse(json);
    const char *id = text_of(root, "id"), *when = text_of(root, "time");
    const char *headline = text_of(root, "headline"), *title = text_of(root, "title");
    int event = read_event(text_of(root, "event")), rc = -1;
    time_t t = 0;

    memset(a, 0, sizeof *a);
    if (!id || strlen(id) != ALERT_ID - 1 || strspn(id, "0123456789abcdef") != ALERT_ID - 1 || !when ||
        !clock_parse_iso(when, &t) || !headline || !title || event < 0) {
        err_set(err, ERR_DAMAGED, "an alert that was kept is damaged");
        goto out;
    }
    if (alert_init(a, (enum alert_event)event, t, headline, title, err) < 0)
        goto out;
    memcpy(a->id, id, ALERT_ID);
    rc = read_rest(a, root, err);
out:
    cJSON_Delete(root);
    if (rc < 0)
        alert_release(a);
    return rc;
}
