/* SPDX-License-Identifier: PostgreSQL */
/* drill_result.c - what a drill has to tell: checks, phases, tables. */
#include "core/backup/drilling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/clock.h"

#define DETAIL_MAX 4096

const char *drill_outcome_name(enum drill_outcome outcome)
{
    static const char *const names[] = { "passed", "failed", "warning", "skipped" };

    return names[outcome];
}

const char *drill_where_name(enum drill_where where)
{
    static const char *const names[] = { "beside", "replace", "local" };

    return names[where];
}

int drill_set(char **member, const char *value, struct err *err)
{
    char *copy = strdup(value);

    if (copy == NULL)
        return err_no_memory(err);
    free(*member);
    *member = copy;
    return 0;
}

/* ---- checks ---------------------------------------------------------------------------------------------------- */

int drill_check_add(struct drill_result *r, const char *name, enum drill_outcome outcome, const char *detail,
                    struct err *err)
{
    struct drill_check *more = reallocarray(r->checks, r->n_checks + 1, sizeof *more);
    struct drill_check *new;

    if (more == NULL)
        return err_no_memory(err);
    r->checks = more;
    new = &more[r->n_checks];
    *new = (struct drill_check){ .name = strdup(name), .outcome = outcome, .detail = strdup(detail) };
    if (new->name != NULL &&new->detail != NULL) {
        r->n_checks++;
        return 0;
    }
    free(new->name);
    free(new->detail);
    return err_no_memory(err);
}

int drill_check_set(struct drill_result *r, enum drill_step step, enum drill_outcome outcome, struct err *err,
                    const char *format, ...)
{
    struct drill_check *check = &r->checks[step];
    struct buf detail;
    va_list args;
    int rc;

    buf_init(&detail, DETAIL_MAX);
    va_start(args, format);
    buf_vprintf(&detail, format, args);
    va_end(args);
    check->outcome = outcome;
    rc = drill_set(&check->detail, detail.data, err);
    buf_release(&detail);
    return rc;
}

int drill_judge(const struct drill_result *r, struct err *err)
{
    size_t failed = 0;
    const struct drill_check *first = NULL;

    for (size_t i = 0; i < r->n_checks; i++)
        if (r->checks[i].outcome == DRILL_FAILED && failed++ == 0)
            first = &r->checks[i];
    if (first == NULL)
        return 0;
    err_set(err, ERR_PROOF, "not so: %s (%s)", first->name, first->detail);
    if (failed > 1)
        err_hint(err, "and %zu more checks failed, see above", failed - 1);
    return -1;
}

/* ---- phases ---------------------------------------------------------------------------------------------------- */

int drill_phase_add(struct drill_result *r, const char *name, double seconds, bool recovery, struct err *err)
{
    struct drill_phase *more = reallocarray(r->phases, r->n_phases + 1, sizeof *more);
    char *copy = strdup(name);

    if (more != NULL)
        r->phases = more;
    if (more == NULL || copy == NULL) {
        free(copy);
        return err_no_memory(err);
    }
    more[r->n_phases++] = (struct drill_phase){ .name = copy, .seconds = seconds, .recovery = recovery };
    r->recovery_seconds += recovery ? seconds : 0;
    return 0;
}

/* ---- tables ---------------------------------------------------------------------------------------------------- */

struct drill_table *drill_table_add(struct drill_result *r, const char *schema, const char *name, struct err *err)
{
    struct drill_table *more = r->tables, *new;

    if ((r->n_tables & (r->n_tables - 1)) == 0) /* full at each power of two */
        more = reallocarray(r->tables, r->n_tables > 0 ? 2 * r->n_tables : 1, sizeof *more);
    if (more == NULL) {
        err_no_memory(err);
        return NULL;
    }
    r->tables = more;
    new = &more[r->n_tables];
    *new = (struct drill_table){ .schema = strdup(schema), .name = strdup(name), .drift = -1 };
    r->n_tables++;
    if (new->schema != NULL &&new->name != NULL)
        return new;
    r->n_tables--;
    free(new->schema);
    free(new->name);
    err_no_memory(err);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const struct drill_table *x = a, *y = b;
    int order = strcmp(x->schema, y->schema);

    return order != 0 ? order : strcmp(x->name, y->name);
}

void drill_tables_sort(struct drill_result *r)
{
    if (r->n_tables > 0)
        qsort(r->tables, r->n_tables, sizeof *r->tables, compare);
}

struct drill_table *drill_table_find(struct drill_table *tables, size_t n, const char *schema, const char *name)
{
    struct drill_table key = { .schema = (char *)(uintptr_t)schema, .name = (char *)(uintptr_t)name };

    return n > 0 ? bsearch(&key, tables, n, sizeof *tables, compare) : NULL;
}

/* ---- begin and end --------------------------------------------------------------------------------------------- */

int drill_result_begin(struct drill_result *r, enum drill_where where, struct err *err)
{
    static const char *const steps[] = {
        [STEP_SERVER] = "the server answers",
        [STEP_FETCH] = "the backup is there",
        [STEP_VERIFY] = "the backup is whole",
        [STEP_RESTORE] = "it can be restored",
        [STEP_PROVE] = "every row is as it was backed up",
        [STEP_INDEXES] = "every index is valid",
        [STEP_SOUND] = "every index is sound",
        [STEP_CONSTRAINTS] = "every constraint is validated",
        [STEP_SEQUENCES] = "no sequence is behind",
        [STEP_PRODUCTION] = "production has not drifted away",
    };
    char **const texts[] = {
        &r->environment,    &r->backup,   &r->location,    &r->md5,   &r->sha256, &r->dumped_version,
        &r->server_version, &r->database, &r->pre_restore, &r->error, &r->hint
    };

    memset(r, 0, sizeof *r);
    r->where = where;
    r->started = clock_now();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (drill_set(texts[i], "", err) < 0)
            return -1;
    for (size_t i = 0; i < DRILL_STEPS; i++)
        if (drill_check_add(r, steps[i], DRILL_SKIPPED, "not reached", err) < 0)
            return -1;
    return drill_set(&r->environment, "production", err);
}

void drill_result_end(struct drill_result *r, int rc, const struct err *err, double seconds)
{
    struct err no_memory = { 0 };

    r->passed = rc == 0;
    r->seconds = seconds;
    drill_tables_sort(r);
    if (rc < 0 && drill_set(&r->error, err->message, &no_memory) == 0)
        drill_set(&r->hint, err->hint, &no_memory);
}

void drill_release(struct drill_result *r)
{
    char *const texts[] = { r->environment,    r->backup,   r->location,    r->md5,   r->sha256, r->dumped_version,
                            r->server_version, r->database, r->pre_restore, r->error, r->hint };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    for (size_t i = 0; i < r->n_checks; i++) {
        free(r->checks[i].name);
        free(r->checks[i].detail);
    }
    for (size_t i = 0; i < r->n_phases; i++)
        free(r->phases[i].name);
    for (size_t i = 0; i < r->n_tables; i++) {
        free(r->tables[i].schema);
        free(r->tables[i].name);
    }
    free(r->checks);
    free(r->phases);
    free(r->tables);
    memset(r, 0, sizeof *r);
}
