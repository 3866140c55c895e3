/* SPDX-License-Identifier: PostgreSQL */
/* test_history.c - the runs of the past, on this host and in a store, after crashes and beside other processes. */
#include "test/unit/unit.h"
#include "test/unit/open_store.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "core/watch/history.h"

#define STARTED 1761184800 /* 2025-10-23 02:00:00 UTC */

static struct err err;
static const struct places here = { .state = "." };

static struct run a_run(enum run_kind kind, const char *environment, time_t started)
{
    struct run r;

    run_init(&r, kind, started);
    run_set(&r.environment, environment, &err);
    run_set(&r.host, "db1", &err);
    r.pid = 4711;
    return r;
}

static void append(enum run_kind kind, const char *environment, time_t started, int exit_code)
{
    struct run r = a_run(kind, environment, started);

    r.exit_code = exit_code;
    err_clear(&err);
    if (history_append(&here, &r, &err) < 0)
        fail_msg("%s", err.message);
    run_release(&r);
}

static struct history read_all(const char *environment)
{
    struct history h;

    err_clear(&err);
    if (history_read(&here, environment, &h, &err) < 0)
        fail_msg("%s", err.message);
    return h;
}

static void write_raw(const char *text, size_t n)
{
    int fd = open("history.jsonl", O_WRONLY | O_CREAT | O_APPEND, 0600);

    assert_int_equal(write(fd, text, n), n);
    close(fd);
}

static off_t file_size(void)
{
    struct stat st;

    return stat("history.jsonl", &st) == 0 ? st.st_size : -1;
}

/* ---- this host's ----------------------------------------------------------------------------------------------- */

static void test_order(void **state)
{
    struct history h = read_all(NULL);

    (void)state;
    assert_int_equal(h.n, 0); /* no file is an empty history */
    append(RUN_BACKUP, "production", STARTED + 2, 0);
    append(RUN_BACKUP, "production", STARTED, 2);
    append(RUN_DRILL, "production", STARTED + 1, 0);
    h = read_all(NULL);
    assert_int_equal(h.n, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(h.runs[i].started, STARTED + i);
    assert_int_equal(h.skipped, 0);
    history_release(&h);
}

static void test_environments(void **state)
{
    struct run r = a_run(RUN_RESTORE, "staging", STARTED + 3);
    struct history h;

    (void)state;
    run_set(&r.source, "production", &err);
    history_append(&here, &r, &err);
    run_release(&r);
    append(RUN_BACKUP, "production", STARTED, 0);
    append(RUN_BACKUP, "staging", STARTED + 1, 0);
    append(RUN_PRUNE, NULL, STARTED + 2, 0);
    h = read_all("production");
    assert_int_equal(h.n, 3); /* its backup, what was about all, and the restore of one of its own */
    assert_int_equal(h.runs[1].kind, RUN_PRUNE);
    assert_int_equal(h.runs[2].kind, RUN_RESTORE);
    history_release(&h);
    h = read_all("staging");
    assert_int_equal(h.n, 3);
    history_release(&h);
}

static void test_newest(void **state)
{
    struct history h;

    (void)state;
    append(RUN_BACKUP, "production", STARTED, 0);
    append(RUN_BACKUP, "production", STARTED + 1, 2);
    append(RUN_BACKUP, "production", STARTED + 2, RUN_BUSY);
    h = read_all(NULL);
    assert_int_equal(history_newest(&h, RUN_BACKUP, -1)->started, STARTED + 1);
    assert_int_equal(history_newest(&h, RUN_BACKUP, 1)->started, STARTED);
    assert_int_equal(history_newest(&h, RUN_BACKUP, 0)->started, STARTED + 1);
    assert_null(history_newest(&h, RUN_DRILL, -1));
    history_release(&h);
}

static void test_cut_line(void **state)
{
    struct history h;

    (void)state;
    append(RUN_BACKUP, "production", STARTED, 0);
    assert_int_equal(truncate("history.jsonl", file_size() - 20), 0); /* the machine went down just then */
    append(RUN_BACKUP, "production", STARTED + 1, 0);
    append(RUN_BACKUP, "production", STARTED + 2, 0);
    h = read_all(NULL);
    assert_int_equal(h.n, 2);
    assert_int_equal(h.skipped, 1);
    assert_int_equal(h.runs[0].started, STARTED + 1);
    history_release(&h);
}

static void test_garbage(void **state)
{
    char zeros[4096] = { 0 }; /* what some file systems leave of a file after a power cut */
    struct history h;

    (void)state;
    append(RUN_BACKUP, "production", STARTED, 0);
    write_raw(zeros, sizeof zeros);
    write_raw("\n\n{\"kind\":\n\xff\xfe\n[[[[[[[[[[\n", 24);
    append(RUN_BACKUP, "production", STARTED + 1, 0);
    h = read_all(NULL);
    assert_int_equal(h.n, 2);
    assert_true(h.skipped >= 3);
    history_release(&h);
}

static void test_trim(void **state)
{
    char *line = malloc(4097);
    struct history h;
    size_t n;
    int fd;

    (void)state;
    append(RUN_BACKUP, "production", STARTED, 0);
    memset(line, 'x', 4096);
    line[4095] = '\n';
    while ((size_t)file_size() + 4096 <= HISTORY_BYTES)
        write_raw(line, 4096);
    append(RUN_BACKUP, "production", STARTED + 1, 0);
    append(RUN_BACKUP, "production", STARTED + 2, 0);
    n = (size_t)file_size();
    for (int i = 3; (size_t)file_size() >= n; i++) { /* until it has outgrown its limit */
        n = (size_t)file_size();
        append(RUN_BACKUP, "production", STARTED + i, 0);
    }
    assert_in_range(file_size(), HISTORY_BYTES / 2 - 5000, HISTORY_BYTES / 2 + 5000);
    fd = open("history.jsonl", O_RDONLY); /* it begins with a whole line */
    assert_int_equal(read(fd, line, 4096), 4096);
    close(fd);
    assert_ptr_equal(memchr(line, '\n', 4096), line + 4095);
    h = read_all(NULL);
    assert_int_equal(h.runs[0].started, STARTED + 1); /* the oldest went, all the newest stayed */
    assert_int_equal(h.runs[h.n - 1].started, STARTED + (int)h.n);
    history_release(&h);
    free(line);
}

static void test_two_at_once(void **state)
{
    enum { CHILDREN = 4, LINES = 50 };
    struct history h;
    int status;

    (void)state;
    write_raw("{\"cut short", 11);
    for (int i = 0; i < CHILDREN; i++)
        if (fork() == 0) {
            for (int j = 0; j < LINES; j++) {
                struct run r = a_run(RUN_BACKUP, "production", STARTED + i * LINES + j);

                if (history_append(&here, &r, &err) < 0)
                    _exit(1);
                run_release(&r);
            }
            _exit(0);
        }
    for (int i = 0; i < CHILDREN; i++) {
        wait(&status);
        assert_int_equal(status, 0);
    }
    h = read_all(NULL);
    assert_int_equal(h.n, CHILDREN * LINES);
    assert_int_equal(h.skipped, 1);
    for (int i = 0; i < CHILDREN * LINES; i++)
        assert_int_equal(h.runs[i].started, STARTED + i);
    history_release(&h);
}

static void test_no_state(void **state)
{
    const struct places none = { 0 };
    struct run r = a_run(RUN_BACKUP, "production", STARTED);
    struct history h;

    (void)state;
    assert_int_equal(history_append(&none, &r, &err), 0);
    assert_int_equal(history_read(&none, NULL, &h, &err), 0);
    assert_int_equal(h.n, 0);
    run_release(&r);
}

static void test_no_link(void **state)
{
    struct run r = a_run(RUN_BACKUP, "production", STARTED);

    (void)state;
    assert_int_equal(symlink("elsewhere", "history.jsonl"), 0);
    err_clear(&err);
    assert_int_equal(history_append(&here, &r, &err), -1);
    assert_int_equal(access("elsewhere", F_OK), -1);
    run_release(&r);
}

/* ---- in a store ------------------------------------------------------------------------------------------------ */

static void put_run(struct store *store, const struct run *r)
{
    struct buf key, text;

    err_clear(&err);
    buf_init(&key, 1024);
    buf_init(&text, RUN_LINE_MAX);
    if (history_object(r, &key, &text, &err) < 0 ||
        store_put(store, key.data, text.data, text.size, NULL, NULL, &err) < 0)
        fail_msg("%s", err.message);
    buf_release(&key);
    buf_release(&text);
}

static void put(struct store *store, enum run_kind kind, const char *environment, time_t started)
{
    struct run r = a_run(kind, environment, started);

    put_run(store, &r);
    run_release(&r);
}

static void read_more(struct store *store, const char *environment, size_t limit, struct history *h)
{
    err_clear(&err);
    if (history_read_store(store, &here, environment, STARTED + 86400, limit, h, &err) < 0)
        fail_msg("%s", err.message);
}

static void test_keys(void **state)
{
    struct store *store = open_store(STORE_READ | STORE_WRITE);
    struct run r = a_run(RUN_RESTORE, "staging", STARTED);

    (void)state;
    run_set(&r.source, "production", &err);
    run_set(&r.host, "../db 1.example", &err);
    put_run(store, &r);
    run_release(&r);
    put(store, RUN_PRUNE, NULL, STARTED);
    assert_int_equal(access("store/production/history/20251023-020000-restore-..-db-1.example-4711.json", F_OK), 0);
    assert_int_equal(access("store/history/20251023-020000-prune-db1-4711.json", F_OK), 0);
    store_close(store);
}

static void test_fresh_host(void **state)
{
    struct store *store = open_store(STORE_READ | STORE_WRITE);
    struct history h;

    (void)state;
    put(store, RUN_BACKUP, "production", STARTED);
    put(store, RUN_DRILL, "production", STARTED + 1);
    put(store, RUN_BACKUP, "staging", STARTED + 2);
    put(store, RUN_PRUNE, NULL, STARTED + 3);
    h = read_all("production");
    read_more(store, "production", 100, &h);
    assert_int_equal(h.n, 3);
    assert_int_equal(h.runs[0].started, STARTED);
    assert_int_equal(h.runs[2].kind, RUN_PRUNE);
    history_release(&h);
    h = read_all("production"); /* it remembers what it has learnt */
    assert_int_equal(h.n, 3);
    read_more(store, "production", 100, &h);
    assert_int_equal(h.n, 3);
    read_more(store, NULL, 100, &h);
    assert_int_equal(h.n, 4);
    history_release(&h);
    store_close(store);
}

static void test_once(void **state)
{
    struct store *store = open_store(STORE_READ | STORE_WRITE);
    struct history h;

    (void)state;
    append(RUN_BACKUP, "production", STARTED, 0);
    put(store, RUN_BACKUP, "production", STARTED);
    put(store, RUN_BACKUP, "production", STARTED + 5);
    h = read_all(NULL);
    read_more(store, NULL, 100, &h);
    assert_int_equal(h.n, 2);
    history_release(&h);
    store_close(store);
}

static void test_limit_and_years(void **state)
{
    struct store *store = open_store(STORE_READ | STORE_WRITE);
    struct history h;

    (void)state;
    for (int i = 0; i < 30; i++)
        put(store, RUN_BACKUP, "production", STARTED - i * 86400);
    put(store, RUN_BACKUP, "production", STARTED - 400 * 86400);
    put(store, RUN_BACKUP, "production", STARTED - 800 * 86400);
    h = read_all(NULL);
    read_more(store, NULL, 7, &h);
    assert_int_equal(h.n, 7);
    assert_int_equal(h.runs[0].started, STARTED - 6 * 86400);
    read_more(store, NULL, 100, &h);
    assert_int_equal(h.n, 31); /* not the one of two years ago */
    assert_int_equal(h.runs[0].started, STARTED - 400 * 86400);
    history_release(&h);
    store_close(store);
}

static void test_damaged_object(void **state)
{
    struct store *store = open_store(STORE_READ | STORE_WRITE);
    struct history h;

    (void)state;
    put(store, RUN_BACKUP, "production", STARTED);
    store_put(store, "production/history/20251023-020001-backup-db1-1.json", "{", 1, NULL, NULL, &err);
    store_put(store, "production/history/notes.json", "{}", 2, NULL, NULL, &err);
    h = read_all(NULL);
    read_more(store, NULL, 100, &h);
    assert_int_equal(h.n, 1);
    assert_int_equal(h.skipped, 1);
    history_release(&h);
    store_close(store);
}

static void test_store_away(void **state)
{
    struct store *store = open_store(STORE_READ | STORE_WRITE);
    struct history h;

    (void)state;
    append(RUN_BACKUP, "production", STARTED, 0);
    h = read_all(NULL);
    write_raw("", 0);
    assert_int_equal(close(open("store", O_WRONLY | O_CREAT, 0600)), 0); /* no directory */
    err_clear(&err);
    assert_int_equal(history_read_store(store, &here, NULL, STARTED, 100, &h, &err), -1);
    assert_int_equal(err.class, ERR_STORE);
    assert_int_equal(h.n, 1);
    history_release(&h);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_IN_DIR("the history is told oldest first, in whatever order runs ended", test_order),
        PROMISE_IN_DIR("of an environment: its own runs, those of its backups, those of all", test_environments),
        PROMISE_IN_DIR("a run that found another at work is neither a success nor a failure", test_newest),
        PROMISE_IN_DIR("a line that a crash cut short harms no other", test_cut_line),
        PROMISE_IN_DIR("garbage in the file is passed over and counted", test_garbage),
        PROMISE_IN_DIR("a history that has outgrown its limit keeps its newest half", test_trim),
        PROMISE_IN_DIR("several processes at once lose no line", test_two_at_once),
        PROMISE_IN_DIR("without a state directory nothing is kept, and that is no failure", test_no_state),
        PROMISE_IN_DIR("the history is not written through a symbolic link", test_no_link),
        PROMISE_IN_DIR("in the store a run is under the environment whose backup it was about", test_keys),
        PROMISE_IN_DIR("a fresh host learns the past from the store, and remembers it", test_fresh_host),
        PROMISE_IN_DIR("what both know is there once", test_once),
        PROMISE_IN_DIR("of a long past the newest is read", test_limit_and_years),
        PROMISE_IN_DIR("a damaged object is passed over and counted", test_damaged_object),
        PROMISE_IN_DIR("a store that can't be listed says so and takes nothing away", test_store_away),
    };

    return RUN_PROMISES(tests);
}
