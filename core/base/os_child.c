/* SPDX-License-Identifier: PostgreSQL */
/* os_child.c - what a forked child gets along. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "core/base/os.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An empty file, or one that nobody reads: there may be no /dev/null. */
static int nothing(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    return fd >= 0 ? fd : memfd_create("sfb-nothing", MFD_CLOEXEC);
}

int os_child_descriptors(const int fds[3])
{
    int high[3];

    for (int i = 0; i < 3; i++) {
        high[i] = fcntl(fds[i] >= 0 ? fds[i] : nothing(), F_DUPFD, 10);
        if (high[i] < 0)
            return -1;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(high[i], i) < 0)
            return -1;
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0)
        return 0;
#endif
    for (int fd = 3; fd < 4096; fd++)
        close(fd);
    return 0;
}
