/* SPDX-License-Identifier: PostgreSQL */
/* audit_check_files.c - which files a host's chained audit log is in. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/audit_check.h"

/* logrotate's names: APP-audit.jsonl.1, .2.gz, or APP-audit.jsonl-20251023. */
char **audit_check_find_files(const char *dir, const char *app, size_t *n, struct err *err)
{
    glob_t found = { 0 };
    char **paths = NULL;
    char *base = NULL;
    struct buf pattern;

    *n = 0;
    buf_init(&pattern, 65536);
    if (asprintf(&base, "%s/%s-audit.jsonl", dir, app) < 0) {
        base = NULL;
        err_no_memory(err);
        goto out;
    }
    for (const char *c = base; *c != '\0'; c++) {
        if (strchr("*?[\\", *c) != NULL)
            buf_putc(&pattern, '\\');
        buf_putc(&pattern, *c);
    }
    buf_puts(&pattern, "*");
    if (buf_check(&pattern, err) < 0 || glob(pattern.data, 0, NULL, &found) == GLOB_NOSPACE) {
        err_no_memory(err);
        goto out;
    }
    paths = calloc(found.gl_pathc + 1, sizeof *paths);
    for (size_t i = 0; paths != NULL && i < found.gl_pathc; i++) {
        char after = found.gl_pathv[i][strlen(base)];

        if (after != '\0' && after != '.' && after != '-')
            continue;
        paths[*n] = strdup(found.gl_pathv[i]);
        if (paths[*n] == NULL) {
            audit_check_free_files(paths);
            paths = NULL;
            break;
        }
        (*n)++;
    }
    if (paths == NULL)
        err_no_memory(err);
out:
    globfree(&found);
    buf_release(&pattern);
    free(base);
    return paths;
}

void audit_check_free_files(char **paths)
{
    for (size_t i = 0; paths != NULL && paths[i] != NULL; i++)
        free(paths[i]);
    free(paths);
}
