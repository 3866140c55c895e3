/* SPDX-License-Identifier: PostgreSQL */
/* test_audit_recent.c - the newest part of an audit log is compared with its chain, whatever stands before it. */
#include "test/unit/audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/backup/audit_recent.h"

static struct err err;
static const struct catalog no_cache;

static int recent(size_t bytes)
{
    err_clear(&err);
    audit_result_release(&result);
    return audit_recent_check(".", "a", &no_cache, bytes, &result, &err);
}

static size_t size_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

static void set_age(const char *path, time_t days)
{
    struct timespec times[2] = { { .tv_sec = 1761184815 - days * 86400 }, { .tv_sec = 1761184815 - days * 86400 } };

    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void whole(void **state)
{
    (void)state;
    append_many(5);
    assert_int_equal(recent(1000000), 0);
    assert_int_equal(result.entries, 5);
    assert_int_equal(result.first, 1);
    replace(LOG, "event 1", "event 8");
    assert_int_equal(recent(1000000), -1);
    assert_int_equal(err.class, ERR_DAMAGED);
    assert_non_null(strstr(err.message, LOG ", line 1: entry 1 was changed"));
}

static void end_alone(void **state)
{
    (void)state;
    append_many(9);
    replace(LOG, "event 1", "event 8"); /* before what is read */
    for (size_t bytes = 400; bytes < size_of(LOG) - 400; bytes++) {
        if (recent(bytes) < 0)
            fail_msg("%zu bytes: %s", bytes, err.message);
        assert_true(result.entries > 0 && result.first > 1 && result.last == 9);
    }
    replace(LOG, "event 8", "event 1");
    replace(LOG, "event 8", "event 0");
    assert_int_equal(recent(1500), -1);
    if (!strstr(err.message, "the end of ./" LOG ", line ") || !strstr(err.message, "entry 8 was changed"))
        fail_msg("%s", err.message);
}

static void after_a_crash(void **state)
{
    (void)state;
    append_many(3);
    add(LOG, "{\"half a line");
    append("after"); /* tells of the fragment before it */
    append_many(3);
    for (size_t bytes = 400; bytes < size_of(LOG); bytes++)
        if (recent(bytes) < 0)
            fail_msg("%zu bytes: %s", bytes, err.message);
}

static void rotated(void **state)
{
    size_t newest;

    (void)state;
    append_many(3);
    assert_int_equal(rename(LOG, LOG ".2"), 0);
    set_age(LOG ".2", 2);
    append_many(3);
    assert_int_equal(rename(LOG, LOG ".1"), 0);
    set_age(LOG ".1", 1);
    newest = size_of(LOG ".1");
    put(LOG, ""); /* as logrotate's create makes it */
    assert_int_equal(recent(1000000), 0);
    assert_int_equal(result.entries, 6);
    assert_int_equal(recent(newest), 0);
    assert_int_equal(result.entries, 3);
    assert_int_equal(result.first, 4);
    assert_int_equal(unlink(LOG ".1"), 0);
    assert_int_equal(recent(1000000), -1);
    assert_non_null(strstr(err.message, "the end is missing"));
}

static void gone(void **state)
{
    (void)state;
    assert_int_equal(recent(1000000), -1);
    assert_int_equal(err.class, ERR_NOT_FOUND);
    append_many(3);
    assert_int_equal(unlink(LOG), 0);
    assert_int_equal(recent(1000000), -1);
    assert_int_equal(err.class, ERR_DAMAGED);
    assert_non_null(strstr(err.message, "is gone, with 3 entries"));
}

static void named_elsewhere(void **state)
{
    struct catalog_item item = { .path = "backup.dump", .has_manifest = true };
    struct catalog cache = { .items = &item, .n = 1 };
    struct audit_head head;
    char text[AUDIT_HEAD_TEXT];

    (void)state;
    append_many(2);
    head = append("third");
    item.manifest.audit_head = strdup(audit_head_text(text, &head));
    keep_lines("12");
    assert_int_equal(unlink(HEAD), 0);
    assert_int_equal(recent(1000000), 0);
    err_clear(&err);
    audit_result_release(&result);
    assert_int_equal(audit_recent_check(".", "a", &cache, 1000000, &result, &err), -1);
    assert_non_null(strstr(err.message, "backup.dump names entry 3"));
    free(item.manifest.audit_head);
}

#define PROMISE_AT(sentence, function)                            \
    {                                                             \
        sentence, function, unit_enter_dir, leave_audit_log, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_AT("a small log is read whole", whole),
        PROMISE_AT("of a large one the end is read, wherever that begins", end_alone),
        PROMISE_AT("a line that a crash cut short is no damage, wherever the reading begins", after_a_crash),
        PROMISE_AT("rotated files are read as far as the bytes go, newest first", rotated),
        PROMISE_AT("a log that is gone is damage, one that never was is none", gone),
        PROMISE_AT("a log without its end is found by the cache's manifests", named_elsewhere),
    };

    return RUN_PROMISES(tests);
}
