/* SPDX-License-Identifier: PostgreSQL */
/* sanitize.c - how the sanitizers look at sfb, and what else must never happen: linked into build/sanitize/sfb alone. */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <sanitizer/common_interface_defs.h>

const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void);
const char *__ubsan_default_options(void);

const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}

/* PostgreSQL's programs leave their memory to the end of the process, which here is a child of ours. */
const char *__lsan_default_suppressions(void)
{
    return "leak:^pg_dump*_main$\nleak:^pg_dumpall*_main$\nleak:^pg_restore*_main$\nleak:^psql*_main$\n";
}

const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1";
}

/* ---- fork() comes before threads ------------------------------------------------------------------------------- */

static unsigned threads_now(void)
{
    DIR *tasks = opendir("/proc/self/task");
    unsigned n = 0;

    if (tasks == NULL)
        return 1;
    for (const struct dirent *d = readdir(tasks); d != NULL; d = readdir(tasks))
        n += d->d_name[0] != '.';
    closedir(tasks);
    return n;
}

static void before_fork(void)
{
    unsigned n = threads_now();

    if (n == 1)
        return;
    fprintf(stderr, "sanitize: a fork among %u threads: the child may wait forever for a lock that one of them holds\n",
            n);
    __sanitizer_print_stack_trace();
    abort();
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(before_fork, NULL, NULL);
}
