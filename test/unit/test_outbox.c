/* SPDX-License-Identifier: PostgreSQL */
/* test_outbox.c - what a store did not take waits for it, is sent once it takes it, and does not pile up. */
#include "test/unit/unit.h"
#include "test/unit/open_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/base/os.h"
#include "core/watch/outbox.h"

#define KEY "production/history/20251023-020000-backup-db1-4711.json"
#define KEPT "outbox/production%history%20251023-020000-backup-db1-4711.json"
#define STORED "store/" KEY

static struct places here = { .state = (char *)"." };
static struct err err;

static void keep(const char *key, const char *text)
{
    err_clear(&err);
    if (outbox_keep(&here, key, text, strlen(text), &err) < 0)
        fail_msg("%s", err.message);
}

static void assert_holds(const char *path, const char *text)
{
    struct buf found;

    buf_init(&found, 4096);
    err_clear(&err);
    if (os_read_file(path, &found, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(found.data, text);
    buf_release(&found);
}

static size_t sent(void)
{
    struct store *store = open_store(STORE_WRITE);
    size_t n = outbox_send(store, &here, 10);

    store_close(store);
    return n;
}

static void test_there_and_gone(void **state)
{
    struct store *store;

    (void)state;
    keep(KEY, "a record\n");
    assert_holds(KEPT, "a record\n");
    store = open_store(STORE_WRITE);
    assert_int_equal(outbox_put(store, &here, KEY, "a record\n", 9, &err), 0);
    store_close(store);
    assert_holds(STORED, "a record\n");
    assert_int_equal(access(KEPT, F_OK), -1);
    assert_int_equal(sent(), 0);
}

static void test_later(void **state)
{
    struct store *store;

    (void)state;
    assert_int_equal(mkdir("store", 0700), 0);
    fclose(fopen("store/production", "w")); /* no directory */
    keep(KEY, "a record\n");
    keep("history/20251024-020000-prune-db1-1.json", "another\n");
    store = open_store(STORE_WRITE);
    assert_int_equal(outbox_put(store, &here, KEY, "a record\n", 9, &err), -1);
    assert_int_equal(outbox_send(store, &here, 10), 0);
    store_close(store);
    assert_holds(KEPT, "a record\n");
    assert_int_equal(unlink("store/production"), 0);
    assert_int_equal(sent(), 2);
    assert_holds(STORED, "a record\n");
    assert_holds("store/history/20251024-020000-prune-db1-1.json", "another\n");
    assert_int_equal(rmdir("outbox"), 0);
}

static void test_crash(void **state)
{
    (void)state;
    keep(KEY, "a record\n");
    assert_int_equal(rename(KEPT, "outbox/.production%history%x.json.partial-999999"), 0);
    assert_int_equal(sent(), 0);
    assert_int_equal(access("store/production/history/x.json", F_OK), -1);
    keep(KEY, "the next\n"); /* sweeps */
    assert_int_equal(access("outbox/.production%history%x.json.partial-999999", F_OK), -1);
    assert_int_equal(sent(), 1);
}

static void test_odd(void **state)
{
    char long_key[600];

    (void)state;
    memset(long_key, 'x', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = '\0';
    assert_int_equal(outbox_keep(&here, "a%b", "x", 1, &err), -1);
    err_clear(&err);
    assert_int_equal(outbox_keep(&here, "../x", "x", 1, &err), -1);
    err_clear(&err);
    assert_int_equal(outbox_keep(&here, long_key, "x", 1, &err), -1);
    err_clear(&err);
    assert_int_equal(outbox_keep(&here, KEY, "x", OUTBOX_BYTES + 1, &err), -1);
    err_clear(&err);
    assert_int_equal(outbox_keep(&(struct places){ .state = NULL }, KEY, "x", 1, &err), 0);
    keep(KEY, "a record\n");
    assert_int_equal(symlink("/etc/passwd", "outbox/production%history%link.json"), 0);
    assert_int_equal(mkdir("outbox/directory", 0700), 0);
    assert_int_equal(sent(), 1);
    assert_int_equal(access("store/production/history/link.json", F_OK), -1);
}

static void test_bounded(void **state)
{
    char name[64];

    (void)state;
    keep("oldest.json", "x");
    assert_int_equal(utimensat(AT_FDCWD, "outbox/oldest.json", (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0), 0);
    for (int i = 1; i < OUTBOX_OBJECTS; i++) {
        snprintf(name, sizeof name, "outbox/%d.json", i);
        fclose(fopen(name, "w"));
    }
    keep(KEY, "one more\n");
    assert_int_equal(access("outbox/oldest.json", F_OK), -1);
    assert_int_equal(access("outbox/1.json", F_OK), 0);
    assert_holds(KEPT, "one more\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_IN_DIR("what has arrived waits no longer", test_there_and_gone),
        PROMISE_IN_DIR("what a store does not take stays, and is sent when it does, as it was", test_later),
        PROMISE_IN_DIR("what a killed run has begun to write is not sent, and swept", test_crash),
        PROMISE_IN_DIR("odd keys, large objects, links and directories are left alone", test_odd),
        PROMISE_IN_DIR("of too many the oldest goes", test_bounded),
    };

    return RUN_PROMISES(tests);
}
