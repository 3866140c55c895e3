/* SPDX-License-Identifier: PostgreSQL */
/* os_lock.c - an advisory lock on a file that holds the owner's pid.
 *
 * fcntl locks, not flock: they belong to the process alone, not to a child that inherited the descriptor and outlives
 * it. The file stays when the lock is released: removing it would let two processes lock two files of one name.
 */
#include "core/base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"

static struct flock whole_file(short type)
{
    return (struct flock){ .l_type = type, .l_whence = SEEK_SET };
}

/* The pid that the holder wrote, or that the kernel knows; 0 when neither tells. */
static int holder(int fd)
{
    struct flock lock = whole_file(F_WRLCK);
    char text[16] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    int pid = 0;

    if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0)
        return lock.l_pid;
    if (n > 0) {
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        if (!text_parse_int(text, 1, INT_MAX, &pid))
            pid = 0;
    }
    return pid;
}

static int busy(int fd, const char *path, struct err *err)
{
    int pid = holder(fd);

    if (pid > 0)
        err_set(err, ERR_BUSY, "another run is at work: process %d holds %s", pid, path);
    else
        err_set(err, ERR_BUSY, "another run is at work: it holds %s", path);
    err_hint(err, "wait until it has ended; a lock of a process that is gone does not count");
    return -1;
}

/* Best effort: the lock holds without it, only the message of the next one would be poorer. */
static void write_pid(int fd)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) < 0)
        errno = 0;
}

int os_lock_fd(int fd, const char *path, int wait_seconds, struct err *err)
{
    double deadline = clock_monotonic() + wait_seconds;
    struct flock all = whole_file(F_WRLCK);

    while (fcntl(fd, F_SETLK, &all) < 0) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return err_errno(err, "can't lock %s", path);
        if (os_check_interrupt(err) < 0)
            return -1;
        if (clock_monotonic() >= deadline)
            return busy(fd, path, err);
        nanosleep(&(struct timespec){ .tv_nsec = 50 * 1000 * 1000 }, NULL);
    }
    return 0;
}

int os_lock_take(struct os_lock *lock, const char *path, int wait_seconds, struct err *err)
{
    int rc = -1;
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    lock->fd = -1;
    if (fd < 0) {
        err_errno(err, "can't open the lock file %s", path);
        goto out;
    }
    if (os_lock_fd(fd, path, wait_seconds, err) < 0)
        goto out;
    write_pid(fd);
    lock->fd = fd;
    rc = 0;
out:
    if (rc < 0 && fd >= 0)
        close(fd);
    return rc;
}

void os_lock_release(struct os_lock *lock)
{
    if (lock->fd < 0)
        return;
    if (ftruncate(lock->fd, 0) < 0) /* the pid is no holder's any more; nothing depends on it */
        errno = 0;
    close(lock->fd);
    lock->fd = -1;
}
