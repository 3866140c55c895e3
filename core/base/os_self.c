/* SPDX-License-Identifier: PostgreSQL */
/* os_self.c - who and where this process is, and how many processors it may use. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "core/base/os.h"

#include <errno.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/base/text.h"

const char *os_user(void)
{
    static char name[64];
    const struct passwd *entry;

    if (name[0])
        return name;
    entry = getpwuid(geteuid());
    if (entry && entry->pw_name && entry->pw_name[0])
        snprintf(name, sizeof name, "%s", entry->pw_name);
    else
        snprintf(name, sizeof name, "uid-%ld", (long)geteuid());
    return name;
}

const char *os_hostname(void)
{
    static char name[256];

    if (!name[0] && (gethostname(name, sizeof name - 1) < 0 || !name[0]))
        snprintf(name, sizeof name, "localhost");
    return name;
}

int os_random(void *bytes, size_t n, struct err *err)
{
    char *to = bytes;

    while (n > 0) {
        ssize_t got = getrandom(to, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, "the kernel gives no random numbers");
        to += got;
        n -= (size_t)got;
    }
    return 0;
}

/* ---- processors ---------------------------------------------------------------------------------------------- */

static unsigned cpus_by_affinity(void)
{
    cpu_set_t set;
    long online;

    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    online = sysconf(_SC_NPROCESSORS_ONLN); /* more than 1024 processors */
    return online > 0 ? (unsigned)online : 1;
}

/* The first line of dir/name; false when it can't be read. */
static bool first_line(const char *dir, const char *name, char *out, size_t size)
{
    char path[1024];
    FILE *file;
    bool ok;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
        return false;
    file = fopen(path, "re");
    if (!file)
        return false;
    ok = fgets(out, (int)size, file) != NULL;
    fclose(file);
    if (ok)
        out[strcspn(out, "\n")] = '\0';
    return ok;
}

/* The limit that one cgroup directory sets, rounded up; 0: none. Version 2 has "QUOTA PERIOD" or "max PERIOD" in
 * cpu.max, version 1 two files and -1 for none. */
static unsigned quota_of(const char *dir)
{
    char line[64], *period_text;
    uint64_t quota, period;

    if (first_line(dir, "cpu.max", line, sizeof line)) {
        period_text = strchr(line, ' ');
        if (!period_text)
            return 0;
        *period_text++ = '\0';
        if (!text_parse_u64(line, &quota) || !text_parse_u64(period_text, &period))
            return 0;
    } else {
        if (!first_line(dir, "cpu.cfs_quota_us", line, sizeof line) || !text_parse_u64(line, &quota) ||
            !first_line(dir, "cpu.cfs_period_us", line, sizeof line) || !text_parse_u64(line, &period))
            return 0;
    }
    if (quota == 0 || period == 0 || quota / period > 100000)
        return 0;
    return (unsigned)((quota + period - 1) / period);
}

/* The least limit of mount/path and the groups above it. In a container path may be the host's: then only the mount
 * point itself exists, and it is ours. */
static unsigned quota_upwards(const char *mount, const char *path)
{
    char dir[1024];
    size_t root = strlen(mount);
    unsigned least = 0;

    if ((size_t)snprintf(dir, sizeof dir, "%s%s", mount, path) >= sizeof dir)
        return 0;
    for (;;) {
        unsigned limit = quota_of(dir);
        char *slash = strrchr(dir, '/');
        if (limit > 0 && (least == 0 || limit < least))
            least = limit;
        if (strlen(dir) <= root || !slash)
            return least;
        *slash = '\0';
    }
}

/* Is cpu among "cpu,cpuacct"? */
static bool controls_cpu(char *controllers)
{
    char *rest = controllers, *word;

    while ((word = strsep(&rest, ",")) != NULL)
        if (strcmp(word, "cpu") == 0)
            return true;
    return false;
}

static unsigned cpus_by_cgroup(void)
{
    FILE *file = fopen("/proc/self/cgroup", "re"); /* lines of "NUMBER:CONTROLLERS:PATH"; version 2: "0::PATH" */
    char line[1024];
    unsigned least = 0;

    if (!file)
        return quota_upwards("/sys/fs/cgroup", "");
    while (fgets(line, sizeof line, file)) {
        char *rest = line, *number, *controllers, *path;
        unsigned limit = 0;

        line[strcspn(line, "\n")] = '\0';
        number = strsep(&rest, ":");
        controllers = strsep(&rest, ":");
        path = rest;
        if (!number || !controllers || !path)
            continue;
        if (strcmp(path, "/") == 0)
            path = "";
        if (!*controllers)
            limit = quota_upwards("/sys/fs/cgroup", path);
        else if (controls_cpu(controllers))
            limit = quota_upwards("/sys/fs/cgroup/cpu", path);
        if (limit > 0 && (least == 0 || limit < least))
            least = limit;
    }
    fclose(file);
    return least;
}

unsigned os_cpus(void)
{
    unsigned cpus = cpus_by_affinity(), limit = cpus_by_cgroup();

    return limit > 0 && limit < cpus ? limit : cpus;
}
