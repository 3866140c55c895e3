/* SPDX-License-Identifier: PostgreSQL */
/* os.h - files, directories, locks, signals and who we are: what POSIX offers, made hard to misuse.
 *
 * Paths are used as given. Nothing here follows a symbolic link in the last component of a path it writes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "core/base/buf.h"
#include "core/base/err.h"

/* ---- files that appear whole or not at all ------------------------------------------------------------------- */

/* A file being written. It lives as ".NAME.partial-PID" beside its final path, mode 0600, opened O_EXCL|O_NOFOLLOW,
 * until os_file_commit syncs it, links it to the final path (which must not exist) and syncs the directory.
 * os_file_discard removes it. os_sweep_partials removes what killed runs left. The file is
 * locked (flock) while it is open, so that a sweep elsewhere on a shared disk leaves it alone. */
struct os_file {
    int fd; /* -1 when not open; read and write */
    char *path;
    char *partial;
};
/* clang-format off */
#define OS_FILE_CLOSED { .fd = -1 }
/* clang-format on */
int os_file_create(struct os_file *f, const char *path, struct err *err);
int os_file_commit(struct os_file *f, struct err *err); /* closes it; on failure it is discarded */
void os_file_discard(struct os_file *f);                /* fine when closed or committed */

/* Removes ".*.partial-PID" files in dir whose final name starts with prefix and whose process is gone. Best effort. */
void os_sweep_partials(const char *dir, const char *prefix);
/* Of any name, where other hosts write too, whose locks may not be seen here: only what nobody wrote to for so long. */
void os_sweep_old_partials(const char *dir, int seconds);

/* All of fd, however many calls it takes. ERR_SPACE when the disk is full. `what` names the file for the message. */
int os_write(int fd, const void *bytes, size_t n, const char *what, struct err *err);
int os_pwrite(int fd, const void *bytes, size_t n, uint64_t offset, const char *what, struct err *err);
/* A hint: these bytes of a file may go to its disk now, so that a sync at the end finds little left to do. */
void os_write_behind(int fd, uint64_t offset, uint64_t n);
/* Up to n bytes, fewer only at the end of the file; -1 and err otherwise. */
ssize_t os_read(int fd, void *bytes, size_t n, const char *what, struct err *err);
ssize_t os_pread(int fd, void *bytes, size_t n, uint64_t offset, const char *what, struct err *err);

int os_read_file(const char *path, struct buf *out, struct err *err); /* a regular file, up to out->max bytes */
int os_write_file(const char *path, const void *bytes, size_t n, struct err *err); /* replaces it atomically, 0600 */
int os_publish_file(const char *path, const void *bytes, size_t n, mode_t mode, struct err *err); /* with this mode */
/* Opens a file that stays, made with exactly this mode when it is missing: never through a symbolic link, and without
 * waiting for a pipe's other end. flags: O_WRONLY | O_APPEND and the like. -1 and err, or the descriptor. */
int os_open_lasting(const char *path, int flags, mode_t mode, struct err *err);
/* One write, O_APPEND, newline added; a new file gets exactly this mode. */
int os_append_line(const char *path, mode_t mode, const char *line, struct err *err);

/* path becomes the same file as from: a hard link when it can be, else a copy that appears whole. */
int os_link_or_copy(const char *from, const char *path, struct err *err);

int os_make_dirs(const char *path, mode_t mode, struct err *err); /* like mkdir -p */
bool os_dir_usable(const char *path);                             /* exists, is a directory, can be written */
int os_sync_dir_of(const char *path, struct err *err);
int os_free_space(const char *dir, uint64_t *bytes, struct err *err); /* what an ordinary user may still write */

/* path and all below it, if it is there; symbolic links are removed, never followed. Best effort goes on after a failure
 * and tells the first. */
int os_remove_tree(const char *path, struct err *err);

/* "dir/name"; the caller frees. NULL only without memory. */
char *os_path(const char *dir, const char *name);
const char *os_basename(const char *path); /* points into path */
char *os_dirname(const char *path);        /* "." when there is none; the caller frees */

/* ---- locks --------------------------------------------------------------------------------------------------- */

/* An advisory lock on a file that holds the owner's pid. ERR_BUSY, with the owner's pid in the message, when another
 * process still holds it after wait_seconds. Ended processes hold nothing, whatever way they ended. */
struct os_lock {
    int fd;
};
/* clang-format off */
#define OS_LOCK_NONE { .fd = -1 }
/* clang-format on */
int os_lock_take(struct os_lock *lock, const char *path, int wait_seconds, struct err *err);
void os_lock_release(struct os_lock *lock);
/* The same on a file that is open for writing, whose content it leaves alone; closing any descriptor of it releases. */
int os_lock_fd(int fd, const char *path, int wait_seconds, struct err *err);

/* ---- signals ------------------------------------------------------------------------------------------------- */

/* SIGINT, SIGTERM, SIGHUP and SIGQUIT are noted from here on instead of ending the process, and SIGPIPE is ignored.
 * Blocking calls return EINTR; loops ask os_interrupted(). Call once, in main. A second signal does not end it either:
 * the children get it too, so work ends quickly, and leaves nothing half done. */
void os_signals_catch(void);
void os_signals_default(void);   /* in a forked child: as if never caught */
void os_signals_shield(bool on); /* while on, no signal has come: for putting things back that must be put back */
int os_interrupted(void);        /* the signal's number, or 0 */
int os_check_interrupt(struct err *err); /* -1 and ERR_SIGNAL once a signal has come */

/* ---- children ------------------------------------------------------------------------------------------------ */

/* In a forked child: fds become 0, 1 and 2, whatever numbers they have (-1: nothing comes, nothing is kept), and no other
 * stays open. -1: it could not be done, and the child had better end. */
int os_child_descriptors(const int fds[3]);

/* ---- who and where ------------------------------------------------------------------------------------------- */

const char *os_user(void);     /* the login name, or "uid-N" where there is no passwd file; static */
const char *os_hostname(void); /* static */
unsigned os_cpus(void);        /* processors this process may use (affinity and cgroup limit), at least 1 */
int os_random(void *bytes, size_t n, struct err *err); /* getrandom; works where there is no /dev */
