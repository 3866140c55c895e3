/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include "core/store/store.h"

static struct store *store;
static struct err err;

static int enter(void **state)
{
    struct store_params p = { .rights = STORE_READ | STORE_WRITE | STORE_DELETE };
    char url[200] = "file://";

    if (unit_enter_dir(state) < 0 || !getcwd(url + 7, sizeof url - 7))
        return -1;
    err_clear(&err);
    store = store_open(url, &p, &err);
    return store ? 0 : -1;
}

static int leave(void **state)
{
    store_close(store);
    return unit_leave_dir(state);
}

static void put(const char *key, const char *text)
{
    struct store_result r;

    assert_int_equal(store_put(store, key, text, strlen(text), NULL, &r, &err), 0);
    assert_int_equal(r.proof, STORE_PROOF_DISK);
    assert_int_equal(r.size, strlen(text));
}

static const char *get(const char *key)
{
    static struct buf out;

    buf_release(&out);
    buf_init(&out, 1000);
    return store_get(store, key, &out, NULL, &err) < 0 ? NULL : out.data;
}

static void round_trip(void **state)
{
    struct store_info info;

    (void)state;
    put("a/b/c.txt", "hello");
    assert_string_equal(get("a/b/c.txt"), "hello");
    put("a/b/c.txt", "again");
    assert_string_equal(get("a/b/c.txt"), "again");
    assert_int_equal(store_head(store, "a/b/c.txt", &info, &err), 0);
    assert_int_equal(info.size, 5);
    assert_int_equal(store_copy(store, "a/b/c.txt", "d", NULL, NULL, &err), 0);
    assert_string_equal(get("d"), "again");
    assert_int_equal(store_delete(store, "d", &err), 0);
    assert_int_equal(store_delete(store, "d", &err), 0);
    assert_null(get("d"));
    assert_int_equal(err.class, ERR_NOT_FOUND);
    err_clear(&err);
    assert_int_equal(store_head(store, "a/b", &info, &err), -1); /* a directory is no object */
    assert_int_equal(err.class, ERR_NOT_FOUND);
}

static void ranges(void **state)
{
    struct store_info info;
    char bytes[10];

    (void)state;
    put("x", "0123456789");
    assert_int_equal(store_head(store, "x", &info, &err), 0);
    assert_int_equal(store_read_at(store, "x", info.etag, bytes, 4, 3, &err), 4);
    assert_memory_equal(bytes, "3456", 4);
    assert_int_equal(store_read_at(store, "x", NULL, bytes, 10, 8, &err), 2);
    assert_int_equal(store_read_at(store, "x", NULL, bytes, 10, 100, &err), 0);
    put("x", "0123456780");
    assert_int_equal(store_read_at(store, "x", info.etag, bytes, 4, 3, &err), -1);
    assert_int_equal(err.class, ERR_DAMAGED);
}

static int note(void *cookie, const struct store_item *item, struct err *e)
{
    char *out = cookie;

    (void)e;
    snprintf(out + strlen(out), 400 - strlen(out), "%s:%d ", item->key, (int)item->size);
    return 0;
}

static void listing(void **state)
{
    char out[400] = "";

    (void)state;
    put("b/x", "1");
    put("b.txt", "22");
    put("a", "333");
    put("b/y/z", "");
    assert_int_equal(mkdir("empty", 0700), 0);
    put(".hidden", "");
    assert_int_equal(store_list(store, "", note, out, &err), 0);
    assert_string_equal(out, "a:3 b.txt:2 b/x:1 b/y/z:0 ");
    *out = '\0';
    assert_int_equal(store_list(store, "b/", note, out, &err), 0);
    assert_string_equal(out, "b/x:1 b/y/z:0 ");
    *out = '\0';
    assert_int_equal(store_list(store, "b", note, out, &err), 0);
    assert_string_equal(out, "b.txt:2 b/x:1 b/y/z:0 ");
    *out = '\0';
    assert_int_equal(store_list(store, "none", note, out, &err), 0);
    assert_string_equal(out, "");
}

static void streaming(void **state)
{
    struct upload_params p = { 0 };
    struct store_result r;
    struct upload *u = upload_begin(store, "d/up", &p, &err);

    (void)state;
    assert_non_null(u);
    assert_int_equal(upload_write(u, "hello ", 6, &err), 0);
    assert_int_equal(upload_write(u, "world", 5, &err), 0);
    assert_int_equal(upload_patch_first(u, 0, "J", 1, &err), 0);
    assert_null(get("d/up")); /* not yet */
    err_clear(&err);
    assert_int_equal(upload_patch_first(u, 9, "toolong", 7, &err), -1);
    err_clear(&err);
    assert_int_equal(upload_finish(u, &r, &err), 0);
    assert_int_equal(r.size, 11);
    upload_free(u);
    assert_string_equal(get("d/up"), "Jello world");
}

static void given_up(void **state)
{
    struct upload_params p = { 0 };
    struct upload *u = upload_begin(store, "up", &p, &err);

    (void)state;
    assert_int_equal(upload_write(u, "hello ", 6, &err), 0);
    upload_free(u);
    assert_int_equal(unit_count_files(), 0);
}

static void from_file(void **state)
{
    struct upload_params p = { 0 };
    struct store_result r;
    int fd = open("source", O_RDWR | O_CREAT, 0600), out;
    struct store_info info;

    (void)state;
    assert_int_equal(write(fd, "0123456789", 10), 10);
    assert_int_equal(store_upload_file(store, "copy", fd, &p, &r, &err), 0);
    assert_string_equal(get("copy"), "0123456789");
    out = open("back", O_RDWR | O_CREAT, 0600);
    assert_int_equal(store_download(store, "copy", NULL, out, &info, NULL, NULL, &err), 0);
    assert_int_equal(info.size, 10);
    assert_string_equal(get("back"), "0123456789");
    close(out);
    close(fd);
}

static void bad_keys(void **state)
{
    static const char *const bad[] = { "", "/", "a//b", "../x", "a/../b", "a/.", "/a", "a/", "a\nb", "." };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err_clear(&err);
        assert_int_equal(store_put(store, bad[i], "", 0, NULL, NULL, &err), -1);
        assert_int_equal(err.class, ERR_CONFIG);
    }
}

static void rights(void **state)
{
    struct store_params p = { .rights = STORE_READ };
    struct upload_params up = { 0 };
    struct store *reader = store_open(store_url(store), &p, &err);

    (void)state;
    put("x", "y");
    assert_int_equal(store_put(reader, "x", "", 0, NULL, NULL, &err), -1);
    assert_int_equal(store_delete(reader, "x", &err), -1);
    assert_int_equal(store_copy(reader, "x", "z", NULL, NULL, &err), -1);
    assert_null(upload_begin(reader, "z", &up, &err));
    assert_string_equal(get("x"), "y");
    assert_int_equal(unit_count_files(), 1);
    store_close(reader);
}

static void urls(void **state)
{
    static const char *const bad[] = { "",
                                       "x",
                                       "http://x/y",
                                       "file://",
                                       "file://x",
                                       "s3://",
                                       "s3://a",
                                       "s3://bucket//x",
                                       "s3://Bu..cket",
                                       "s3://buc ket",
                                       "file:///nonexistent-directory-of-sfb" };
    struct store_params p = { .rights = STORE_READ, .region = "us-east-1" };
    struct store *s;
    char *base, *key;

    (void)state;
    setenv("AWS_ACCESS_KEY_ID", "a", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "b", 1);
    setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.org", 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err_clear(&err);
        s = store_open(bad[i], &p, &err);
        if (s)
            fail_msg("opened: %s", bad[i]);
        assert_int_equal(err.class, ERR_CONFIG);
    }
    err_clear(&err);
    assert_int_equal(store_split("s3://b/p/q/x.dump", &base, &key, &err), 0);
    assert_string_equal(base, "s3://b/p/q");
    assert_string_equal(key, "x.dump");
    free(base);
    free(key);
    assert_int_equal(store_split("s3://bucket", &base, &key, &err), -1);
    err_clear(&err);
    assert_int_equal(store_split("s3://bucket/x/", &base, &key, &err), -1);
    assert_int_equal(err.class, ERR_CONFIG);
}

static pid_t ended_process(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    return pid;
}

/* Of a file that somebody was writing `days` ago. */
static char *leave_partial(const char *key, pid_t pid, int days)
{
    struct timespec times[2] = { { .tv_sec = time(NULL) - (time_t)days * 86400 - 10 } };
    char *path = NULL;
    int fd;

    times[1] = times[0];
    assert_true(asprintf(&path, "a/.%s.partial-%d", key, (int)pid) > 0);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    return path;
}

/* Who writes from another host can't be seen, and its locks may not be. */
static void abandoned(void **state)
{
    char *dead, *recent, *alive;

    (void)state;
    put("a/first", "x");
    dead = leave_partial("dead.dump", ended_process(), 1);
    recent = leave_partial("recent.dump", ended_process(), 0);
    alive = leave_partial("alive.dump", getppid(), 9);
    put("a/second", "x");
    assert_int_not_equal(access(dead, F_OK), 0);
    assert_int_equal(access(recent, F_OK), 0);
    assert_int_equal(access(alive, F_OK), 0);
    free(dead);
    free(recent);
    free(alive);
}

#define IN_STORE(sentence, function)           \
    {                                          \
        sentence, function, enter, leave, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE("what is put is there, can be copied and deleted", round_trip),
        IN_STORE("ranges are read, of the pinned version only", ranges),
        IN_STORE("a listing is in the order of the keys' bytes, as S3's", listing),
        IN_STORE("an upload appears when it is finished, its beginning changed at last", streaming),
        IN_STORE("an upload that was given up leaves nothing", given_up),
        IN_STORE("what a killed run was writing is cleared a day later, by the next one", abandoned),
        IN_STORE("a file goes up and comes down", from_file),
        IN_STORE("keys don't leave the store", bad_keys),
        IN_STORE("what was not asked for at open is refused", rights),
        IN_STORE("URLs that are none are refused, with what one looks like", urls),
    };
    return RUN_PROMISES(tests);
}
