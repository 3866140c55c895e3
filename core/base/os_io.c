/* SPDX-License-Identifier: PostgreSQL */
/* os_io.c - all of a read or a write, and directories. */
#include "core/base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Signals don't break these loops: blocks are short, and whoever moves many asks os_interrupted() between them. But a
 * pipe that nobody reads or feeds must not hold a process that was told to end. */
static bool retry(void)
{
    return errno == EINTR && !os_interrupted();
}

int os_write(int fd, const void *bytes, size_t n, const char *what, struct err *err)
{
    const char *from = bytes;

    while (n > 0) {
        ssize_t done = write(fd, from, n);
        if (done < 0 && retry())
            continue;
        if (done < 0 && errno == EINTR)
            return os_check_interrupt(err);
        if (done < 0)
            return err_errno(err, "can't write to %s", what);
        from += done;
        n -= (size_t)done;
    }
    return 0;
}

int os_pwrite(int fd, const void *bytes, size_t n, uint64_t offset, const char *what, struct err *err)
{
    const char *from = bytes;

    while (n > 0) {
        ssize_t done = pwrite(fd, from, n, (off_t)offset);
        if (done < 0 && retry())
            continue;
        if (done < 0 && errno == EINTR)
            return os_check_interrupt(err);
        if (done < 0)
            return err_errno(err, "can't write to %s", what);
        from += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return 0;
}

void os_write_behind(int fd, uint64_t offset, uint64_t n)
{
    (void)sync_file_range(fd, (off_t)offset, (off_t)n, SYNC_FILE_RANGE_WRITE);
}

ssize_t os_read(int fd, void *bytes, size_t n, const char *what, struct err *err)
{
    size_t total = 0;

    while (total < n) {
        ssize_t got = read(fd, (char *)bytes + total, n - total);
        if (got < 0 && retry())
            continue;
        if (got < 0 && errno == EINTR)
            return os_check_interrupt(err);
        if (got < 0)
            return err_errno(err, "can't read %s", what);
        if (got == 0)
            break;
        total += (size_t)got;
    }
    return (ssize_t)total;
}

ssize_t os_pread(int fd, void *bytes, size_t n, uint64_t offset, const char *what, struct err *err)
{
    size_t total = 0;

    while (total < n) {
        ssize_t got = pread(fd, (char *)bytes + total, n - total, (off_t)(offset + total));
        if (got < 0 && retry())
            continue;
        if (got < 0 && errno == EINTR)
            return os_check_interrupt(err);
        if (got < 0)
            return err_errno(err, "can't read %s", what);
        if (got == 0)
            break;
        total += (size_t)got;
    }
    return (ssize_t)total;
}

/* ---- directories --------------------------------------------------------------------------------------------- */

/* One directory; fine when it is there. */
static int make_dir(const char *path, mode_t mode, struct err *err)
{
    struct stat st;

    if (mkdir(path, mode) == 0)
        return 0;
    if (errno == EEXIST || errno == EROFS || errno == EACCES || errno == EPERM) {
        int number = errno;
        if (stat(path, &st) == 0) {
            if (S_ISDIR(st.st_mode))
                return 0;
            number = ENOTDIR;
        }
        errno = number;
    }
    return err_errno(err, "can't make the directory %s", path);
}

int os_make_dirs(const char *path, mode_t mode, struct err *err)
{
    char *copy = strdup(path);
    int rc = -1;

    if (!copy) {
        err_no_memory(err);
        goto out;
    }
    for (char *slash = copy + 1; *copy && (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (make_dir(copy, mode, err) < 0)
            goto out;
        *slash = '/';
    }
    rc = make_dir(path, mode, err);
out:
    free(copy);
    return rc;
}

bool os_dir_usable(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && access(path, W_OK | X_OK) == 0;
}

int os_sync_dir_of(const char *path, struct err *err)
{
    char *dir = os_dirname(path);
    int fd = -1, rc = -1;

    if (!dir) {
        err_no_memory(err);
        goto out;
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) { /* we may write in it but not list it: it is as synced as we can have it */
        rc = 0;
        goto out;
    }
    if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)) {
        err_errno(err, "can't write the directory %s to the disk", dir);
        goto out;
    }
    rc = 0;
out:
    if (fd >= 0)
        close(fd);
    free(dir);
    return rc;
}

int os_free_space(const char *dir, uint64_t *bytes, struct err *err)
{
    struct statvfs fs;

    while (statvfs(dir, &fs) < 0)
        if (errno != EINTR)
            return err_errno(err, "can't tell the free space of %s", dir);
    *bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    return 0;
}

/* ---- paths --------------------------------------------------------------------------------------------------- */

char *os_path(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    char *path = NULL;

    if (asprintf(&path, "%s%s%s", dir, n > 0 && dir[n - 1] != '/' ? "/" : "", name) < 0)
        path = NULL;
    return path;
}

const char *os_basename(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

char *os_dirname(const char *path)
{
    size_t n = (size_t)(os_basename(path) - path);

    if (n == 0)
        return strdup(".");
    while (n > 1 && path[n - 1] == '/')
        n--;
    return strndup(path, n);
}
