/* SPDX-License-Identifier: PostgreSQL */
/* audit_log.h - a chained audit log in the working directory: written, bent and checked, for the tests. */
#pragma once
#include "test/unit/unit.h"

#include "core/backup/audit_check.h"
#include "core/base/os.h"

#define LOG "a-audit.jsonl"
#define HEAD "a-audit.head"
#define NO_HASH "0000000000000000000000000000000000000000000000000000000000000000"

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static inline struct audit_head append(const char *event)
{
    struct audit_record r = { .time = 1761184815, .kind = "backup", .level = "INFO", .event = event };
    struct audit_chain chain;
    struct audit_head head = { .seq = 0 };
    struct err err = { 0 };

    assert_int_equal(audit_chain_open(&chain, ".", "a", &err), 0);
    if (audit_chain_append(&chain, &r, &head, &err) < 0)
        fail_msg("%s", err.message);
    audit_chain_close(&chain);
    return head;
}

static inline void append_many(unsigned n)
{
    char event[32];

    for (unsigned i = 1; i <= n; i++) {
        snprintf(event, sizeof event, "event %u", i);
        append(event);
    }
}

static inline char *content(const char *path)
{
    struct err err = { 0 };
    struct buf text;

    buf_init(&text, 16 * 1024 * 1024);
    if (os_read_file(path, &text, &err) < 0)
        fail_msg("%s", err.message);
    return buf_take(&text, &err);
}

static inline void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* Line n, from 1, of a text; the caller frees. */
static inline char *line_of(const char *text, unsigned n)
{
    for (; n > 1; n--)
        text = strchr(text, '\n') + 1;
    return strndup(text, strcspn(text, "\n"));
}

/* The log again, with the given lines only, in the given order. */
static inline void keep_lines(const char *order)
{
    char *text = content(LOG);
    FILE *f = fopen(LOG, "w");

    for (; *order; order++) {
        char *line = line_of(text, (unsigned)(*order - '0'));

        fprintf(f, "%s\n", line);
        free(line);
    }
    fclose(f);
    free(text);
}

static inline void replace(const char *path, const char *old, const char *new)
{
    char *text = content(path), *at = strstr(text, old);
    FILE *f = fopen(path, "w");

    assert_non_null(at);
    fprintf(f, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    fclose(f);
    free(text);
}

static inline void add(const char *path, const char *text)
{
    FILE *f = fopen(path, "a");

    fputs(text, f);
    fclose(f);
}

/* ---- checking --------------------------------------------------------------------------------------------------- */

static struct audit_result result;

static inline int check_files(const char *const *paths, size_t n, const char *mark)
{
    struct err err = { 0 };
    struct audit_check *check = audit_check_open(paths, n, &err);
    int rc;

    if (check == NULL)
        fail_msg("%s", err.message);
    if (mark != NULL)
        assert_int_equal(audit_check_mark(check, "manifest x", mark, &err), 0);
    audit_result_release(&result);
    rc = audit_check_judge(check, &result, &err);
    assert_true((rc < 0) == (result.damages > 0));
    assert_true(rc == 0 || err.class == ERR_DAMAGED);
    audit_check_free(check);
    return rc;
}

static inline int check(void)
{
    const char *const path = LOG;

    return check_files(&path, 1, NULL);
}

static inline void assert_good(void)
{
    if (check() < 0)
        fail_msg("%s", result.findings[0].text);
}

/* Exactly these findings of damage, in this order; NULL ends. */
static inline void assert_found(const char *first, const char *second)
{
    const char *const expected[] = { first, second };
    size_t n = 0;

    for (size_t i = 0; i < result.n; i++) {
        if (!result.findings[i].damage)
            continue;
        if (n >= 2 || expected[n] == NULL)
            fail_msg("not expected: %s", result.findings[i].text);
        assert_string_equal(result.findings[i].text, expected[n]);
        n++;
    }
    assert_true(n == (second != NULL ? 2 : 1));
}

static inline int leave_audit_log(void **state)
{
    audit_result_release(&result);
    return unit_leave_dir(state);
}
