/* SPDX-License-Identifier: PostgreSQL */
/* os_tree.c - a directory and all that is in it, removed. */
#include "core/base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64 /* each level holds a directory open; nobody nests what we make so deeply */

static int remove_at(int dir, const char *name, unsigned depth, struct err *err);

/* What is in the directory, which fd is open on; fd is closed. */
static int empty(int fd, const char *name, unsigned depth, struct err *err)
{
    DIR *dir = fdopendir(fd);
    const struct dirent *e;
    int rc = 0;

    if (dir == NULL) {
        err_errno(err, "can't read directory %s", name);
        close(fd);
        return -1;
    }
    while ((e = readdir(dir)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && remove_at(fd, e->d_name, depth + 1, err) < 0)
            rc = -1;
    closedir(dir);
    return rc;
}

static int remove_at(int dir, const char *name, unsigned depth, struct err *err)
{
    int fd;

    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_errno(err, "can't remove %s", name);
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "can't open directory %s", name);
    if (depth >= DEPTH_MAX) {
        close(fd);
        return err_set(err, ERR_IO, "%s is nested too deeply to be removed", name);
    }
    if (empty(fd, name, depth, err) < 0)
        return -1;
    return unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : err_errno(err, "can't remove %s", name);
}

int os_remove_tree(const char *path, struct err *err)
{
    return remove_at(AT_FDCWD, path, 0, err);
}
