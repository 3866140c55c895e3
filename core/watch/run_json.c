/* SPDX-License-Identifier: PostgreSQL */
/* run_json.c - a run as a line of JSON, and back. One table names the members that are plain. */
#include "core/watch/run.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"

#define NUMBER_MAX UINT64_C(9007199254740991) /* 2^53 - 1: beyond it JSON's readers round */
#define SECONDS_MAX 1e9

enum member_kind { TEXT, COUNT, SECONDS, FLAG, TIME };

/* In the order in which a person reads them. */
static const struct member {
    const char *name;
    enum member_kind kind;
    size_t offset;
} members[] = {
    { "environment", TEXT, offsetof(struct run, environment) },
    { "source", TEXT, offsetof(struct run, source) },
    { "local", FLAG, offsetof(struct run, local) },
    { "error", TEXT, offsetof(struct run, error) },
    { "hint", TEXT, offsetof(struct run, hint) },
    { "upload_failed", FLAG, offsetof(struct run, upload_failed) },
    { "backup", TEXT, offsetof(struct run, backup) },
    { "location", TEXT, offsetof(struct run, location) },
    { "report", TEXT, offsetof(struct run, report) },
    { "report_path", TEXT, offsetof(struct run, report_path) },
    { "format", TEXT, offsetof(struct run, format) },
    { "database", TEXT, offsetof(struct run, database) },
    { "taken", TIME, offsetof(struct run, taken) },
    { "size", COUNT, offsetof(struct run, size) },
    { "database_size", COUNT, offsetof(struct run, database_size) },
    { "tables", COUNT, offsetof(struct run, tables) },
    { "rows", COUNT, offsetof(struct run, rows) },
    { "md5", TEXT, offsetof(struct run, md5) },
    { "stored", FLAG, offsetof(struct run, stored) },
    { "verified", FLAG, offsetof(struct run, verified) },
    { "proven", FLAG, offsetof(struct run, proven) },
    { "recovery_seconds", SECONDS, offsetof(struct run, recovery_seconds) },
    { "removed", COUNT, offsetof(struct run, removed) },
    { "removed_bytes", COUNT, offsetof(struct run, removed_bytes) },
    { "host", TEXT, offsetof(struct run, host) },
    { "user", TEXT, offsetof(struct run, user) },
    { "version", TEXT, offsetof(struct run, version) },
};
#define MEMBERS (sizeof members / sizeof members[0])

/* ---- writing --------------------------------------------------------------------------------------------------- */

/* The result: was there memory for it? */
static bool put_text(cJSON *object, const char *name, const char *text)
{
    struct buf visible;
    bool put;

    buf_init(&visible, RUN_LINE_MAX);
    text_visible(&visible, text);
    put = !visible.failed && cJSON_AddStringToObject(object, name, visible.data) != NULL;
    buf_release(&visible);
    return put;
}

/* Raw: cJSON prints a double with 15 digits and finds that near enough. */
static bool put_count(cJSON *object, const char *name, uint64_t n)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%" PRIu64, n < NUMBER_MAX ? n : NUMBER_MAX);
    return cJSON_AddRawToObject(object, name, digits) != NULL;
}

static bool put_seconds(cJSON *object, const char *name, double seconds)
{
    return cJSON_AddNumberToObject(object, name, round(seconds * 1000) / 1000) != NULL;
}

static bool put_time(cJSON *object, const char *name, time_t t)
{
    char text[CLOCK_TEXT];

    return cJSON_AddStringToObject(object, name, clock_iso(text, t)) != NULL;
}

static bool put_member(cJSON *object, const struct run *r, const struct member *m)
{
    const void *value = (const char *)r + m->offset;

    switch (m->kind) {
    case TEXT:
        return *(char *const *)value == NULL || put_text(object, m->name, *(char *const *)value);
    case COUNT:
        return *(const uint64_t *)value == 0 || put_count(object, m->name, *(const uint64_t *)value);
    case SECONDS:
        return *(const double *)value <= 0 || put_seconds(object, m->name, *(const double *)value);
    case FLAG:
        return !*(const bool *)value || cJSON_AddTrueToObject(object, m->name) != NULL;
    case TIME:
        return *(const time_t *)value == 0 || put_time(object, m->name, *(const time_t *)value);
    }
    return false;
}

static bool put_phases(cJSON *object, const struct run *r)
{
    cJSON *list = r->n_phases > 0 ? cJSON_AddArrayToObject(object, "phases") : NULL;

    for (size_t i = 0; i < r->n_phases; i++) {
        cJSON *phase = cJSON_CreateObject();

        if (!cJSON_AddItemToArray(list, phase) || !put_text(phase, "name", r->phases[i].name) ||
            !put_seconds(phase, "seconds", r->phases[i].seconds))
            return false;
    }
    return true;
}

static bool put_run(cJSON *object, const struct run *r)
{
    bool put = cJSON_AddStringToObject(object, "kind", run_kind_name(r->kind)) &&
               put_time(object, "started", r->started) && put_seconds(object, "seconds", r->seconds) &&
               put_count(object, "exit_code", (uint64_t)r->exit_code) && put_count(object, "pid", (uint64_t)r->pid) &&
               (r->signal == 0 || put_count(object, "signal", (uint64_t)r->signal));

    for (size_t i = 0; put && i < MEMBERS; i++)
        put = put_member(object, r, &members[i]);
    return put && put_phases(object, r);
}

int run_write(const struct run *r, struct buf *out, struct err *err)
{
    cJSON *root = cJSON_CreateObject();
    char *text = root != NULL && put_run(root, r) ? cJSON_PrintUnformatted(root) : NULL;
    int rc = -1;

    if (text == NULL) {
        err_no_memory(err);
        goto out;
    }
    buf_puts(out, text);
    rc = buf_check(out, err);
out:
    free(text);
    cJSON_Delete(root);
    return rc;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static int wrong(const char *name, struct err *err)
{
    return err_set(err, ERR_DAMAGED, "the record of a run is damaged: \"%s\"", name);
}

static int get_number(const cJSON *item, const char *name, double most, double *value, struct err *err)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= most))
        return wrong(name, err);
    *value = item->valuedouble;
    return 0;
}

static int get_int(const cJSON *root, const char *name, int most, int *value, struct err *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
    double number = 0;

    if (item != NULL && get_number(item, name, most, &number, err) < 0)
        return -1;
    *value = (int)number;
    return 0;
}

static int get_time(const cJSON *item, const char *name, time_t *value, struct err *err)
{
    return cJSON_IsString(item) && clock_parse_iso(item->valuestring, value) ? 0 : wrong(name, err);
}

static int get_member(const cJSON *item, const struct member *m, struct run *r, struct err *err)
{
    void *value = (char *)r + m->offset;
    double number = 0;

    switch (m->kind) {
    case TEXT:
        return cJSON_IsString(item) ? run_set(value, item->valuestring, err) : wrong(m->name, err);
    case COUNT:
        if (get_number(item, m->name, (double)NUMBER_MAX, &number, err) < 0)
            return -1;
        *(uint64_t *)value = (uint64_t)number;
        return 0;
    case SECONDS:
        return get_number(item, m->name, SECONDS_MAX, value, err);
    case FLAG:
        *(bool *)value = cJSON_IsTrue(item);
        return cJSON_IsBool(item) ? 0 : wrong(m->name, err);
    case TIME:
        return get_time(item, m->name, value, err);
    }
    return -1;
}

static int get_phases(const cJSON *root, struct run *r, struct err *err)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "phases"), *item;
    double seconds = 0;

    if (list != NULL && !cJSON_IsArray(list))
        return wrong("phases", err);
    cJSON_ArrayForEach(item, list)
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "name"));

        if (name == NULL ||
            get_number(cJSON_GetObjectItemCaseSensitive(item, "seconds"), "seconds", SECONDS_MAX, &seconds, err) < 0)
            return wrong("phases", err);
        if (run_phase(r, name, seconds, err) < 0)
            return -1;
    }
    return 0;
}

static int get_kind(const cJSON *root, enum run_kind *kind, struct err *err)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "kind"));

    for (int i = RUN_NONE + 1; name != NULL && i < RUN_KINDS; i++)
        if (strcmp(name, run_kind_name((enum run_kind)i)) == 0) {
            *kind = (enum run_kind)i;
            return 0;
        }
    return wrong("kind", err);
}

static int get_run(const cJSON *root, struct run *r, struct err *err)
{
    if (get_kind(root, &r->kind, err) < 0 ||
        get_time(cJSON_GetObjectItemCaseSensitive(root, "started"), "started", &r->started, err) < 0 ||
        get_number(cJSON_GetObjectItemCaseSensitive(root, "seconds"), "seconds", SECONDS_MAX, &r->seconds, err) < 0 ||
        !cJSON_HasObjectItem(root, "exit_code") || get_int(root, "exit_code", 255, &r->exit_code, err) < 0 ||
        get_int(root, "signal", 64, &r->signal, err) < 0 || get_int(root, "pid", INT_MAX, &r->pid, err) < 0)
        return wrong("exit_code", err);
    for (size_t i = 0; i < MEMBERS; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, members[i].name);

        if (item != NULL && get_member(item, &members[i], r, err) < 0)
            return -1;
    }
    return get_phases(root, r, err);
}

/* cJSON cuts a text at \u0000, and stops at a NUL. */
static bool has_nul(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (line[i] == '\0' || (n - i > 5 && memcmp(line + i, "\\u0000", 6) == 0))
            return true;
        if (line[i] == '\\') /* what it escapes begins nothing */
            i++;
    }
    return false;
}

int run_parse(const char *line, size_t n, struct run *r, struct err *err)
{
    const char *end = line;
    cJSON *root = NULL;
    int rc = -1;

    memset(r, 0, sizeof *r);
    if (n <= RUN_LINE_MAX && !has_nul(line, n))
        root = cJSON_ParseWithLengthOpts(line, n, &end, false);
    while (root != NULL && end < line + n && strchr(" \t\r\n", *end) != NULL)
        end++;
    if (!cJSON_IsObject(root) || end < line + n) {
        err_set(err, ERR_DAMAGED, "the record of a run is damaged: no JSON object of at most %zu bytes", RUN_LINE_MAX);
        goto out;
    }
    r->begun = true;
    rc = get_run(root, r, err);
out:
    cJSON_Delete(root);
    if (rc < 0)
        run_release(r);
    return rc;
}
