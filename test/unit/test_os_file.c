/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/base/os.h"

static struct err err;

static int setup(void **state)
{
    memset(&err, 0, sizeof err);
    return unit_enter_dir(state);
}
#define IN_DIR(sentence, function)                      \
    {                                                   \
        sentence, function, setup, unit_leave_dir, NULL \
    }

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void assert_content(const char *path, const char *expected)
{
    struct buf b;

    buf_init(&b, 100000);
    if (os_read_file(path, &b, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(b.data, expected);
    buf_release(&b);
}

static void whole_or_nothing(void **state)
{
    struct os_file f;
    struct stat st;

    (void)state;
    assert_int_equal(os_file_create(&f, "backup.dump", &err), 0);
    assert_false(exists("backup.dump"));
    assert_int_equal(unit_count_files(), 1);
    assert_int_equal(os_write(f.fd, "data", 4, "x", &err), 0);
    assert_false(exists("backup.dump"));
    assert_int_equal(os_file_commit(&f, &err), 0);
    assert_int_equal(f.fd, -1);
    assert_int_equal(unit_count_files(), 1);
    assert_int_equal(stat("backup.dump", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_content("backup.dump", "data");
    os_file_discard(&f); /* fine after a commit */
    assert_true(exists("backup.dump"));
}

static void discarded(void **state)
{
    struct os_file f, closed = OS_FILE_CLOSED;

    (void)state;
    assert_int_equal(os_file_create(&f, "x", &err), 0);
    os_file_discard(&f);
    os_file_discard(&f);
    os_file_discard(&closed);
    assert_int_equal(unit_count_files(), 0);
}

static void not_overwritten(void **state)
{
    struct os_file f;

    (void)state;
    assert_int_equal(os_file_create(&f, "x", &err), 0);
    os_write(f.fd, "new", 3, "x", &err);
    put("x", "somebody was faster");
    assert_int_equal(os_file_commit(&f, &err), -1);
    assert_string_equal(err.message, "x exists already and is not overwritten");
    assert_content("x", "somebody was faster");
    assert_int_equal(unit_count_files(), 1);
}

static void not_through_a_symlink(void **state)
{
    struct os_file f;
    char partial[64];

    (void)state;
    put("victim", "untouched");
    assert_int_equal(symlink("victim", "x"), 0);
    assert_int_equal(os_file_create(&f, "x", &err), 0);
    assert_int_equal(os_file_commit(&f, &err), -1);
    err_clear(&err);
    assert_int_equal(os_append_line("x", 0600, "line", &err), -1);
    err_clear(&err);
    snprintf(partial, sizeof partial, ".y.partial-%d", getpid()); /* laid in our way on purpose */
    assert_int_equal(symlink("victim", partial), 0);
    assert_int_equal(os_file_create(&f, "y", &err), 0);
    os_write(f.fd, "data", 4, "y", &err);
    assert_int_equal(os_file_commit(&f, &err), 0);
    assert_int_equal(os_write_file("x", "new", 3, &err), 0); /* replaces the link, not what it points to */
    assert_content("x", "new");
    assert_content("victim", "untouched");
}

static void missing_directory(void **state)
{
    struct os_file f;

    (void)state;
    assert_int_equal(os_file_create(&f, "no/such/x", &err), -1);
    assert_int_equal(err.class, ERR_IO);
    assert_string_equal(err.message, "can't create no/such/x: No such file or directory");
    assert_int_equal(f.fd, -1);
}

static void full_disk(void **state)
{
    int fd = open("/dev/full", O_WRONLY);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(os_write(fd, "x", 1, "the disk", &err), -1);
    assert_int_equal(err.class, ERR_SPACE);
    err_clear(&err);
    assert_int_equal(os_append_line("/dev/full", 0600, "x", &err), -1);
    assert_int_equal(err.class, ERR_SPACE);
    close(fd);
}

static pid_t ended_process(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    return pid;
}

static void sweeping(void **state)
{
    struct os_file mine;
    char dead[64], parent[64];

    (void)state;
    snprintf(dead, sizeof dead, ".backup-1.dump.partial-%d", ended_process());
    snprintf(parent, sizeof parent, ".backup-2.dump.partial-%d", getppid());
    put(dead, "left behind");
    put(parent, "of a living process");
    put(".backup-3.dump.partial-", "no pid");
    put(".backup-4.dump.partial-12x", "no pid");
    put("backup-5.dump.partial-1", "not hidden, not ours");
    assert_int_equal(os_file_create(&mine, "backup-6.dump", &err), 0);
    os_sweep_partials(".", "other-");
    assert_true(exists(dead));
    os_sweep_partials(".", "backup-");
    assert_false(exists(dead));
    assert_true(exists(parent));
    assert_true(exists(mine.partial));
    assert_int_equal(unit_count_files(), 5);
    os_file_discard(&mine);
    os_sweep_partials("no such directory", "");
}

static void reading(void **state)
{
    struct buf b;

    (void)state;
    put("five", "12345");
    buf_init(&b, 5);
    assert_int_equal(os_read_file("five", &b, &err), 0);
    assert_string_equal(b.data, "12345");
    buf_release(&b);

    buf_init(&b, 4);
    assert_int_equal(os_read_file("five", &b, &err), -1);
    assert_string_equal(err.message, "five is larger than 4 bytes");
    buf_release(&b);

    buf_init(&b, 100);
    err_clear(&err);
    assert_int_equal(os_read_file(".", &b, &err), -1);
    assert_string_equal(err.message, "can't read .: it is a directory");
    err_clear(&err);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(os_read_file("pipe", &b, &err), -1); /* and does not wait for a writer */
    assert_string_equal(err.message, "can't read pipe: it is not a regular file");
    err_clear(&err);
    errno = 0;
    assert_int_equal(os_read_file("missing", &b, &err), -1);
    assert_int_equal(errno, ENOENT);
    buf_release(&b);

    buf_init(&b, 1000000);
    assert_int_equal(os_read_file("/proc/self/status", &b, NULL), 0); /* says it has size 0 */
    assert_true(b.size > 100);
    buf_release(&b);
}

static void appending(void **state)
{
    struct stat st;
    mode_t old = umask(077);

    (void)state;
    assert_int_equal(os_append_line("log", 0640, "one", &err), 0);
    assert_int_equal(os_append_line("log", 0600, "two", &err), 0);
    umask(old);
    assert_content("log", "one\ntwo\n");
    stat("log", &st);
    assert_int_equal(st.st_mode & 0777, 0640);
}

static void replacing(void **state)
{
    (void)state;
    assert_int_equal(os_write_file("x", "old", 3, &err), 0);
    assert_int_equal(os_write_file("x", "new\0y", 5, &err), 0);
    assert_content("x", "new");
    assert_int_equal(unit_count_files(), 1);
    assert_int_equal(os_write_file("empty", "", 0, &err), 0);
    assert_content("empty", "");
}

static void linking(void **state)
{
    struct stat a, b;

    (void)state;
    put("x", "data");
    assert_int_equal(os_link_or_copy("x", "y", &err), 0);
    stat("x", &a);
    stat("y", &b);
    assert_int_equal(a.st_ino, b.st_ino);
    assert_int_equal(os_link_or_copy("x", "y", &err), -1);
    assert_string_equal(err.message, "y exists already and is not overwritten");
    err_clear(&err);
    assert_int_equal(os_link_or_copy("missing", "z", &err), -1);
    assert_false(exists("z"));
}

static void copying(void **state)
{
    char other[] = "/dev/shm/sfb-unit-XXXXXX", path[64];
    struct stat st, here;

    (void)state;
    if (!mkdtemp(other) || stat(other, &st) < 0 || stat(".", &here) < 0 || st.st_dev == here.st_dev) {
        rmdir(other);
        skip(); /* no second file system */
    }
    put("x", "data");
    snprintf(path, sizeof path, "%s/y", other);
    if (os_link_or_copy("x", path, &err) < 0)
        fail_msg("%s", err.message);
    assert_content(path, "data");
    unlink(path);
    assert_int_equal(rmdir(other), 0);
}

static void directories(void **state)
{
    char *parent;

    (void)state;
    assert_int_equal(os_make_dirs("a/b//c/", 0700, &err), 0);
    assert_int_equal(os_make_dirs("a/b/c", 0700, &err), 0);
    assert_int_equal(os_make_dirs("/", 0700, &err), 0);
    assert_true(os_dir_usable("a/b/c"));
    put("a/file", "");
    assert_false(os_dir_usable("a/file"));
    assert_false(os_dir_usable("a/missing"));
    assert_int_equal(os_make_dirs("a/file/c", 0700, &err), -1);
    assert_string_equal(err.message, "can't make the directory a/file: Not a directory");
    err_clear(&err);
    assert_int_equal(os_make_dirs("", 0700, &err), -1);

    parent = os_dirname("a/b/c");
    assert_string_equal(parent, "a/b");
    free(parent);
}

static void paths(void **state)
{
    static const struct {
        const char *path, *dir, *base;
    } cases[] = {
        { "x", ".", "x" },    { "/x", "/", "x" }, { "a/x", "a", "x" },
        { "a//x", "a", "x" }, { "a/", "a", "" },  { "", ".", "" },
    };
    char *joined = os_path("/tmp/", "x");

    (void)state;
    assert_string_equal(joined, "/tmp/x");
    free(joined);
    joined = os_path("/tmp", "x");
    assert_string_equal(joined, "/tmp/x");
    free(joined);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *dir = os_dirname(cases[i].path);
        assert_string_equal(dir, cases[i].dir);
        assert_string_equal(os_basename(cases[i].path), cases[i].base);
        free(dir);
    }
}

static void at_offsets(void **state)
{
    struct os_file f;
    char bytes[8] = "";

    (void)state;
    assert_int_equal(os_file_create(&f, "x", &err), 0);
    assert_int_equal(os_write(f.fd, "0123456789", 10, "x", &err), 0);
    assert_int_equal(os_pwrite(f.fd, "ab", 2, 3, "x", &err), 0);
    assert_int_equal(os_pread(f.fd, bytes, 4, 2, "x", &err), 4);
    assert_memory_equal(bytes, "2ab5", 4);
    assert_int_equal(os_pread(f.fd, bytes, 8, 7, "x", &err), 3); /* the end comes first */
    assert_int_equal(os_pread(f.fd, bytes, 8, 100, "x", &err), 0);
    assert_int_equal(os_pread(-1, bytes, 8, 0, "x", &err), -1);
    assert_string_equal(err.message, "can't read x: Bad file descriptor");
    os_file_discard(&f);
}

static void pieces(void **state)
{
    char bytes[6] = "";
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    if (fork() == 0) { /* a writer that gives one byte at a time */
        for (int i = 0; i < 6; i++)
            if (write(ends[1], &"abcdef"[i], 1) != 1)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(os_read(ends[0], bytes, 6, "pipe", &err), 6);
    assert_memory_equal(bytes, "abcdef", 6);
    assert_int_equal(os_read(ends[0], bytes, 6, "pipe", &err), 0);
    close(ends[0]);
    wait(NULL);
}

static void space(void **state)
{
    uint64_t bytes = 0;

    (void)state;
    assert_int_equal(os_free_space(".", &bytes, &err), 0);
    assert_true(bytes > 0);
    assert_int_equal(os_free_space("missing", &bytes, &err), -1);
    assert_non_null(strstr(err.message, "missing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR("a file is invisible until it is whole, and private", whole_or_nothing),
        IN_DIR("a discarded file leaves nothing behind", discarded),
        IN_DIR("a file that came in between is not overwritten", not_overwritten),
        IN_DIR("nothing is written through a symbolic link", not_through_a_symlink),
        IN_DIR("a missing directory is named", missing_directory),
        IN_DIR("a full disk is its own class of error", full_disk),
        IN_DIR("a sweep removes what dead processes left, and nothing else", sweeping),
        IN_DIR("only regular files are read, up to the given size", reading),
        IN_DIR("lines are appended whole, in a file with the given mode", appending),
        IN_DIR("a file is replaced at once", replacing),
        IN_DIR("a second name is a hard link, and takes no other's place", linking),
        IN_DIR("across file systems it is a copy", copying),
        IN_DIR("directories are made with their parents", directories),
        IN_DIR("paths are joined and split", paths),
        IN_DIR("reads and writes at an offset stop at the end of the file", at_offsets),
        IN_DIR("a pipe's pieces are put together", pieces),
        IN_DIR("free space is told", space),
    };
    return RUN_PROMISES(tests);
}
