/* SPDX-License-Identifier: PostgreSQL */
/* restore.c - running pg_restore. The plan: restore_plan.c */
#include "core/pg/restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/base/os.h"

#define LIST_NAME "sfb-restore.list"
#define MAX_LIST (64 * 1024 * 1024)

/* The commit that publishes the database is a synchronous one, and so makes durable all that came before it. */
#define SESSION "-c synchronous_commit=off -c default_transaction_read_only=off"

/* What compiling queries costs is more than the few checks of foreign keys gain. */
const char *restore_session(int server_version)
{
    return server_version >= 110000 ? SESSION " -c jit=off" : SESSION;
}

int restore_same_file(const char *path, int fd, struct err *err)
{
    struct stat named, opened;

    if (fstat(fd, &opened) < 0)
        return err_errno(err, "can't look at %s", path);
    if (stat(path, &named) == 0 && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino)
        return 0;
    return err_set(err, ERR_DAMAGED, "%s was replaced by another file after it had been verified", path);
}

char *restore_path(const struct restore_files *files, struct err *err)
{
    char *path;

    if (asprintf(&path, "%s%s", files->path[0] == '-' ? "./" : "", files->path) >= 0)
        return path;
    err_no_memory(err);
    return NULL;
}

/* The list for --use-list, when not all is wanted. It is never finished as a file, and so is swept if we are killed. */
static int write_list(const struct restore_plan *plan, const char *work_dir, struct os_file *file, struct err *err)
{
    char *path = NULL;
    struct buf list;
    int rc = -1;

    if (plan->skipped == 0)
        return 0;
    os_sweep_partials(work_dir, LIST_NAME);
    buf_init(&list, MAX_LIST);
    for (size_t i = 0; i < plan->archive->n; i++)
        if (!plan->skip[i])
            buf_printf(&list, "%d;\n", plan->archive->entries[i].id);
    path = os_path(work_dir, LIST_NAME);
    if (path == NULL)
        err_no_memory(err);
    else if (buf_check(&list, err) == 0 && os_file_create(file, path, err) == 0)
        rc = os_write(file->fd, list.data, list.size, file->partial, err);
    free(path);
    buf_release(&list);
    return rc;
}

/* A schema in one transaction is made in half the time; but each of its objects is locked until the end, and the table
 * of locks is everybody's. So it may not be more than a part of it. */
static bool fits_one_transaction(const struct restore_plan *plan)
{
    const uint64_t each = 4; /* a table, its TOAST table, its index, the sequence */
    uint64_t objects = 0;

    for (size_t i = 0; i < plan->archive->n; i++)
        objects += plan->archive->entries[i].section == SECTION_PRE_DATA && !plan->skip[i];
    return objects * each < plan->locks / 4;
}

/* Is anything of this section wanted? What has no section of its own belongs to that of what stands before it. */
static bool has_any(const struct restore_plan *plan, int section)
{
    int at = SECTION_PRE_DATA;

    for (size_t i = 0; i < plan->archive->n; i++) {
        if (plan->archive->entries[i].section != SECTION_NONE)
            at = plan->archive->entries[i].section;
        if (at == section && !plan->skip[i])
            return true;
    }
    return false;
}

int restore_run(const struct restore_plan *plan, const struct restore_files *files, const struct target *into,
                enum restore_part part, unsigned jobs, struct err *err)
{
    static const char *const sections[] = { "--section=pre-data", "--section=data", "--section=post-data" };
    struct tool_run run = { TOOL_RUN_NONE };
    struct os_file list = OS_FILE_CLOSED;
    char jobs_option[32], *list_option = NULL, *path = NULL;
    const char *args[16];
    int n = 0, rc = -1;

    if (part == RESTORE_DATA && !has_any(plan, SECTION_DATA))
        return 0;
    if (restore_same_file(files->path, files->fd, err) < 0 || write_list(plan, files->work_dir, &list, err) < 0)
        goto out;
    path = restore_path(files, err);
    if (path == NULL)
        goto out;
    if (list.fd >= 0 && asprintf(&list_option, "--use-list=%s", list.partial) < 0) {
        list_option = NULL;
        err_no_memory(err);
        goto out;
    }
    args[n++] = "--exit-on-error";
    args[n++] = sections[part];
    if (part == RESTORE_SCHEMA && fits_one_transaction(plan))
        args[n++] = "--single-transaction";
    if (part != RESTORE_SCHEMA) {
        snprintf(jobs_option, sizeof jobs_option, "--jobs=%u", jobs > 0 ? jobs : 1);
        args[n++] = jobs_option;
    }
    if (list_option != NULL)
        args[n++] = list_option;
    if (plan->no_owner)
        args[n++] = "--no-owner";
    if (plan->no_tablespaces)
        args[n++] = "--no-tablespaces";
    if (log_is_verbose())
        args[n++] = "--verbose";
    args[n++] = path;
    args[n] = NULL;

    run.tool = &plan->tool;
    run.program = TOOL_PG_RESTORE;
    run.args = args;
    run.target = into;
    run.session_options = restore_session(plan->server_version);
    if (tool_start(&run, err) < 0 || tool_wait(&run, ERR_RESTORE, err) < 0)
        goto out;
    rc = restore_same_file(files->path, files->fd, err);
out:
    tool_stop(&run);
    os_file_discard(&list);
    free(list_option);
    free(path);
    return rc;
}
