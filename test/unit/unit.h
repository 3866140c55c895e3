/* SPDX-License-Identifier: PostgreSQL */
/* unit.h - what every unit test includes first: cmocka, promises, a directory of its own. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A test is named by what it promises. */
#define PROMISE(sentence, function)          \
    {                                        \
        sentence, function, NULL, NULL, NULL \
    }
/* The same, in an empty directory that is the working directory meanwhile and gone afterwards. */
#define PROMISE_IN_DIR(sentence, function)                       \
    {                                                            \
        sentence, function, unit_enter_dir, unit_leave_dir, NULL \
    }

#define RUN_PROMISES(tests) cmocka_run_group_tests(tests, NULL, NULL)

static inline int unit_enter_dir(void **state)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = NULL;

    if (asprintf(&dir, "%s/sfb-unit-XXXXXX", tmp ? tmp : "/tmp") < 0)
        return -1;
    *state = dir;
    return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static inline int unit_leave_dir(void **state)
{
    char command[1024];
    int rc;

    snprintf(command, sizeof command, "chmod -R u+rwx %s && rm -rf %s", (char *)*state, (char *)*state);
    rc = chdir("/") == 0 && system(command) == 0 ? 0 : -1;
    free(*state);
    return rc;
}

/* How many names there are in the working directory, hidden ones too. */
static inline int unit_count_files(void)
{
    FILE *list = popen("ls -A | wc -l", "r");
    int n = -1;

    if (list && fscanf(list, "%d", &n) != 1)
        n = -1;
    if (list)
        pclose(list);
    return n;
}
