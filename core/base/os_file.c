/* SPDX-License-Identifier: PostgreSQL */
/* os_file.c - files that appear whole or not at all. */
#include "core/base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/base/text.h"

#define PARTIAL ".partial-"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#endif

/* ---- names --------------------------------------------------------------------------------------------------- */

/* "DIR/.NAME.partial-PID" for "DIR/NAME"; NULL only without memory. */
static char *partial_name(const char *path)
{
    const char *name = os_basename(path);
    char *partial = NULL;

    if (asprintf(&partial, "%.*s.%s" PARTIAL "%ld", (int)(name - path), path, name, (long)getpid()) < 0)
        partial = NULL;
    return partial;
}

/* The process that a partial file's name ends with; 0 when it is not the name of one. */
static pid_t partial_owner(const char *name)
{
    const char *found = NULL, *next = name;
    int pid;

    while ((next = strstr(next, PARTIAL)) != NULL)
        found = next++;
    if (name[0] != '.' || !found || !text_parse_int(found + strlen(PARTIAL), 1, INT_MAX, &pid))
        return 0;
    return pid;
}

/* ---- create, commit, discard --------------------------------------------------------------------------------- */

/* The file is locked as long as it is open, so that a sweep from another container, where our pid means nothing,
 * leaves it alone. Where locks don't work the pid has to do. */
static int open_partial(const char *partial)
{
    int fd = open(partial, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd >= 0)
        flock(fd, LOCK_EX | LOCK_NB);
    return fd;
}

int os_file_create(struct os_file *f, const char *path, struct err *err)
{
    int rc = -1;

    *f = (struct os_file)OS_FILE_CLOSED;
    f->path = strdup(path);
    f->partial = partial_name(path);
    if (!f->path || !f->partial) {
        err_no_memory(err);
        goto out;
    }
    f->fd = open_partial(f->partial);
    if (f->fd < 0 && errno == EEXIST && unlink(f->partial) == 0) /* a killed process that had our pid: in a container
                                                                    everybody is pid 1 */
        f->fd = open_partial(f->partial);
    if (f->fd < 0) {
        err_errno(err, "can't create %s", path);
        goto out;
    }
    rc = 0;
out:
    if (rc < 0) {
        free(f->path);
        free(f->partial);
        *f = (struct os_file)OS_FILE_CLOSED;
    }
    return rc;
}

/* Gives the file its final name, which must be free; 0 or -1 and errno. On return the partial name is gone on success
 * only. */
static int publish(const struct os_file *f)
{
    struct stat st;

    if (linkat(AT_FDCWD, f->partial, AT_FDCWD, f->path, 0) == 0) {
        unlink(f->partial);
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK && errno != EACCES)
        return -1;
    /* a file system without hard links */
    if (syscall(SYS_renameat2, AT_FDCWD, f->partial, AT_FDCWD, f->path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    /* nor that: what remains is to look first */
    if (lstat(f->path, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(f->partial, f->path);
}

static void forget(struct os_file *f)
{
    free(f->path);
    free(f->partial);
    *f = (struct os_file)OS_FILE_CLOSED;
}

int os_file_commit(struct os_file *f, struct err *err)
{
    int rc = -1;

    if (fsync(f->fd) < 0) {
        err_errno(err, "can't write %s to the disk", f->path);
        goto out;
    }
    if (publish(f) < 0) {
        if (errno == EEXIST)
            err_set(err, ERR_IO, "%s exists already and is not overwritten", f->path);
        else
            err_errno(err, "can't give %s its name", f->path);
        goto out;
    }
    if (os_sync_dir_of(f->path, err) < 0) {
        unlink(f->path);
        goto out;
    }
    close(f->fd); /* synced: nothing is left that could fail */
    forget(f);
    rc = 0;
out:
    if (rc < 0)
        os_file_discard(f);
    return rc;
}

void os_file_discard(struct os_file *f)
{
    if (f->fd < 0)
        return;
    unlink(f->partial);
    close(f->fd);
    forget(f);
}

/* ---- sweeping ------------------------------------------------------------------------------------------------ */

/* Nobody has it open (then its lock would be held), its process is no more, and nobody has written to it for that long. */
static bool abandoned(int dir, const char *name, pid_t owner, int seconds)
{
    struct stat st;
    bool free_to_take;
    int fd;

    if (owner != getpid() && (kill(owner, 0) == 0 || errno != ESRCH))
        return false;
    fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    free_to_take = (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) && fstat(fd, &st) == 0 &&
                   time(NULL) - st.st_mtime >= seconds;
    close(fd);
    return free_to_take;
}

static void sweep(const char *dir, const char *prefix, int seconds)
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    if (!d)
        return;
    while ((entry = readdir(d)) != NULL) {
        pid_t owner = partial_owner(entry->d_name);
        if (owner > 0 && text_starts(entry->d_name + 1, prefix) && abandoned(dirfd(d), entry->d_name, owner, seconds))
            unlinkat(dirfd(d), entry->d_name, 0);
    }
    closedir(d);
}

void os_sweep_partials(const char *dir, const char *prefix)
{
    sweep(dir, prefix, 0);
}

void os_sweep_old_partials(const char *dir, int seconds)
{
    sweep(dir, "", seconds);
}

/* ---- whole small files --------------------------------------------------------------------------------------- */

int os_read_file(const char *path, struct buf *out, struct err *err)
{
    struct stat st;
    char *room;
    size_t space;
    ssize_t n;
    int rc = -1;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe must not hold us */

    if (fd < 0 || fstat(fd, &st) < 0) {
        err_errno(err, "can't read %s", path);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_IO, "can't read %s: it is %s", path,
                S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
        goto out;
    }
    do {
        space = out->max - out->size < 65536 ? out->max - out->size : 65536;
        if (space == 0) { /* full: there may not be one byte more */
            char one;
            n = os_read(fd, &one, 1, path, err);
            if (n > 0)
                err_set(err, ERR_IO, "%s is larger than %zu bytes", path, out->max);
            rc = n == 0 ? 0 : -1;
            goto out;
        }
        room = buf_reserve(out, space);
        if (!room) {
            buf_check(out, err);
            goto out;
        }
        n = os_read(fd, room, space, path, err);
        if (n < 0)
            goto out;
        buf_commit(out, (size_t)n);
    } while ((size_t)n == space);
    rc = 0;
out:
    if (fd >= 0) {
        int saved = errno;
        close(fd);
        errno = saved;
    }
    return rc;
}

int os_write_file(const char *path, const void *bytes, size_t n, struct err *err)
{
    return os_publish_file(path, bytes, n, 0600, err);
}

int os_publish_file(const char *path, const void *bytes, size_t n, mode_t mode, struct err *err)
{
    struct os_file f;
    int rc = -1;

    if (os_file_create(&f, path, err) < 0)
        return -1;
    if (os_write(f.fd, bytes, n, path, err) < 0)
        goto out;
    if (fchmod(f.fd, mode) < 0 || fsync(f.fd) < 0 || rename(f.partial, path) < 0) {
        err_errno(err, "can't write %s", path);
        goto out;
    }
    rc = os_sync_dir_of(path, err);
    close(f.fd);
    forget(&f);
out:
    os_file_discard(&f);
    return rc;
}

int os_open_lasting(const char *path, int flags, mode_t mode, struct err *err)
{
    int fd;

    flags |= O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    fd = open(path, flags);
    if (fd < 0 && errno == ENOENT) {
        fd = open(path, flags | O_CREAT | O_EXCL, mode);
        if (fd >= 0)
            fchmod(fd, mode); /* exactly this, whatever the umask: others read the log */
        else if (errno == EEXIST)
            fd = open(path, flags); /* somebody else was first */
    }
    if (fd < 0)
        err_errno(err, "can't open %s", path);
    return fd;
}

int os_append_line(const char *path, mode_t mode, const char *line, struct err *err)
{
    struct buf text;
    ssize_t n;
    int rc = -1, fd;

    buf_init(&text, 1024 * 1024);
    buf_puts(&text, line);
    buf_putc(&text, '\n');
    if (buf_check(&text, err) < 0) {
        buf_release(&text);
        return -1;
    }
    fd = os_open_lasting(path, O_WRONLY | O_APPEND, mode, err);
    if (fd < 0)
        goto out;
    do
        n = write(fd, text.data, text.size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        err_errno(err, "can't write to %s", path);
    else if ((size_t)n < text.size)
        err_set(err, ERR_SPACE, "can't write to %s: only a part of the line fitted", path);
    else
        rc = 0;
out:
    if (fd >= 0)
        close(fd);
    buf_release(&text);
    return rc;
}

/* ---- the same file in two places ----------------------------------------------------------------------------- */

static int copy_all(int from, const char *from_path, struct os_file *to, struct err *err)
{
    const size_t block = 1024 * 1024;
    char *bytes = malloc(block);
    ssize_t n = -1;

    if (!bytes) {
        err_no_memory(err);
        goto out;
    }
    do {
        n = os_read(from, bytes, block, from_path, err);
        if (n > 0 && (os_write(to->fd, bytes, (size_t)n, to->path, err) < 0 || os_check_interrupt(err) < 0))
            n = -1;
    } while (n > 0);
out:
    free(bytes);
    return n < 0 ? -1 : 0;
}

static int copy_file(const char *from_path, const char *path, struct err *err)
{
    struct os_file to = OS_FILE_CLOSED;
    int rc = -1;
    int from = open(from_path, O_RDONLY | O_CLOEXEC);

    if (from < 0) {
        err_errno(err, "can't read %s", from_path);
        goto out;
    }
    if (os_file_create(&to, path, err) < 0 || copy_all(from, from_path, &to, err) < 0)
        goto out;
    rc = os_file_commit(&to, err);
out:
    os_file_discard(&to);
    if (from >= 0)
        close(from);
    return rc;
}

int os_link_or_copy(const char *from, const char *path, struct err *err)
{
    if (linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
        return os_sync_dir_of(path, err);
    switch (errno) {
    case EXDEV:
    case EPERM:
    case EACCES:
    case EMLINK:
    case EOPNOTSUPP:
    case ENOSYS:
        return copy_file(from, path, err);
    case EEXIST:
        return err_set(err, ERR_IO, "%s exists already and is not overwritten", path);
    default:
        return err_errno(err, "can't link %s to %s", from, path);
    }
}
