/* SPDX-License-Identifier: PostgreSQL */
/* test_audit_check.c - a chained audit log that somebody has bent is found out, and where. */
#include "test/unit/audit_log.h"

/* ---- bent logs -------------------------------------------------------------------------------------------------- */

static void changed(void **state)
{
    (void)state;
    append_many(5);
    replace(LOG, "event 3", "event 8");
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 3: entry 3 was changed: its content is not what its hash stands for", NULL);
}

static void changed_last(void **state)
{
    (void)state;
    append_many(5);
    replace(LOG, "event 5", "event 8");
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 5: entry 5 was changed: its content is not what its hash stands for", NULL);
}

static void every_byte(void **state)
{
    char *text;
    size_t n;

    (void)state;
    append_many(3);
    text = content(LOG);
    n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        char was = text[i];

        text[i] = was == 'x' ? 'y' : 'x';
        put(LOG, text);
        if (check() == 0)
            fail_msg("byte %zu changed, and nothing was found", i);
        text[i] = was;
    }
    put(LOG, text);
    assert_good();
    free(text);
}

static void every_removed_byte(void **state)
{
    char *text;
    size_t n;

    (void)state;
    append_many(3);
    text = content(LOG);
    n = strlen(text);
    for (size_t i = 0; i + 1 < n; i++) { /* without its last newline the log says all that it said */
        FILE *f = fopen(LOG, "w");

        fprintf(f, "%.*s%s", (int)i, text, text + i + 1);
        fclose(f);
        if (check() == 0)
            fail_msg("byte %zu removed, and nothing was found", i);
    }
    free(text);
}

/* Somebody who knows how, and makes the entry's own hash right again. */
static void forged(void **state)
{
    char *text, *line, hash[AUDIT_HASH + 1], forged_line[2048];

    (void)state;
    append_many(4);
    replace(LOG, "event 2", "event 8");
    text = content(LOG);
    line = line_of(text, 2);
    *strstr(line, ",\"hash\":") = '\0';
    audit_hash(hash, line, strlen(line));
    snprintf(forged_line, sizeof forged_line, "%s,\"hash\":\"%s\"}", line, hash);
    free(line);
    line = line_of(text, 2);
    replace(LOG, line, forged_line);
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 2: entry 2 was replaced: the one after it was chained to another", NULL);
    free(line);
    free(text);
}

static void missing(void **state)
{
    (void)state;
    append_many(6);
    keep_lines("1256");
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 3: entries 3 to 4 are missing before it", NULL);
}

static void moved(void **state)
{
    (void)state;
    append_many(6);
    keep_lines("124356");
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 4: entry 3 stands behind entry 4", NULL);
}

static void repeated(void **state)
{
    (void)state;
    append_many(3);
    keep_lines("1223");
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 3: entry 2 stands behind entry 2", NULL);
}

static void added(void **state)
{
    (void)state;
    append_many(2);
    add(LOG, "what is this\n");
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 3: no entry of an audit log, or one that was changed", NULL);
}

static void cut_end(void **state)
{
    (void)state;
    append_many(5);
    keep_lines("123");
    assert_int_equal(check(), -1);
    assert_found(LOG ": the end is missing: the head beside it names entry 5, and it ends with 3", NULL);
    append("next"); /* tells of it, and the gap stays */
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 4: entries 4 to 5 are missing before it", NULL);
    {
        char *text = content(LOG);

        assert_non_null(strstr(text,
                               "\"level\":\"ERROR\",\"event\":\"Audit log does not end with entry 5, as it must, but "
                               "with 3\""));
        free(text);
    }
}

static void emptied(void **state)
{
    (void)state;
    append_many(5);
    put(LOG, "");
    assert_int_equal(check(), -1);
    assert_found(LOG ": its end is missing: entry 5 was written, and there is none", NULL);
}

static void begun_anew(void **state)
{
    const char *const path = LOG;
    char was[AUDIT_HEAD_TEXT], expected[256];
    struct audit_head head;

    (void)state;
    append_many(2);
    head = append("the deed");
    audit_head_text(was, &head);
    unlink(LOG);
    unlink(HEAD);
    append_many(3);
    assert_int_equal(check_files(&path, 1, was), 0); /* no damage to this log, but a manifest knows another */
    snprintf(expected, sizeof expected, "manifest x names entry 3 of another log, %s", head.chain);
    assert_string_equal(result.findings[0].text, expected);
}

static void both_cut(void **state)
{
    const char *const path = LOG;
    char was[AUDIT_HEAD_TEXT];
    struct audit_head head;

    (void)state;
    append_many(2);
    head = append("the deed");
    audit_head_text(was, &head);
    keep_lines("12");
    unlink(HEAD);
    assert_good(); /* the file alone can't tell */
    assert_int_equal(check_files(&path, 1, was), -1);
    assert_found(LOG ": the end is missing: manifest x names entry 3, and it ends with 2", NULL);
    append("another deed"); /* takes the number */
    assert_good();
    assert_int_equal(check_files(&path, 1, was), -1);
    assert_found(LOG ", line 3: entry 3 is not the one that manifest x names", NULL);
}

static void mark_agrees(void **state)
{
    const char *const path = LOG;
    char text[AUDIT_HEAD_TEXT];
    struct audit_head head;

    (void)state;
    append_many(2);
    head = append("three");
    append("four");
    audit_head_text(text, &head);
    assert_int_equal(check_files(&path, 1, text), 0);
    assert_int_equal(result.marks, 1);
    assert_int_equal(result.n, 0);
}

#define PROMISE_AT(sentence, function)                            \
    {                                                             \
        sentence, function, unit_enter_dir, leave_audit_log, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_AT("a changed line is found and named", changed),
        PROMISE_AT("a change of the last line is found too", changed_last),
        PROMISE_AT("a change of any byte is found", every_byte),
        PROMISE_AT("the removal of any byte is found", every_removed_byte),
        PROMISE_AT("a forged entry with a right hash of its own is found", forged),
        PROMISE_AT("missing lines are found and numbered", missing),
        PROMISE_AT("a moved line is found and named, and nothing is called missing", moved),
        PROMISE_AT("a repeated line is found", repeated),
        PROMISE_AT("a line that sfb did not write is found", added),
        PROMISE_AT("a cut-off end is found by the head, told by the next run, and stays", cut_end),
        PROMISE_AT("an emptied log is found", emptied),
        PROMISE_AT("a log that was begun anew is told by what manifests name", begun_anew),
        PROMISE_AT("an end that was cut off with its head is found by a manifest, not without one", both_cut),
        PROMISE_AT("a manifest that names an entry agrees with it", mark_agrees),
    };

    return RUN_PROMISES(tests);
}
