/* SPDX-License-Identifier: PostgreSQL */
/* integrity_list.c - does PostgreSQL's own pg_restore read the contents of an archive? */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/backup/integrity_impl.h"
#include "core/base/os.h"

#define PIECE (256 * 1024)

struct integrity_list {
    struct tool tool;
    struct tool_run run;
    int in; /* what is written here, it reads; -1: it has had all */
};

struct integrity_list *integrity_list_start(const struct tool *tool, struct err *err)
{
    static const char *const args[] = { "--list", NULL };
    struct integrity_list *list = calloc(1, sizeof *list);
    int fds[2], rc;

    if (list == NULL) {
        err_no_memory(err);
        return NULL;
    }
    list->tool = *tool;
    list->run = (struct tool_run){ TOOL_RUN_NONE };
    list->in = -1;
    if (pipe2(fds, O_CLOEXEC) < 0) {
        err_errno(err, "can't make a pipe");
        goto fail;
    }
    list->in = fds[1];
    list->run.tool = &list->tool;
    list->run.program = TOOL_PG_RESTORE;
    list->run.args = args;
    list->run.stdin_fd = fds[0];
    rc = tool_start(&list->run, err);
    close(fds[0]);
    if (rc == 0)
        return list;
fail:
    integrity_list_free(list);
    return NULL;
}

/* A pg_restore that reads no further has a reason, and tells it. */
static int pour(struct integrity_list *list, const struct walk_file *file, uint64_t size, struct err *err)
{
    char *piece = malloc(PIECE);
    struct err closed = { 0 };
    uint64_t at = 0;
    int rc = -1;

    if (piece == NULL)
        return err_no_memory(err);
    while (at < size) {
        size_t want = size - at < PIECE ? (size_t)(size - at) : PIECE;
        ssize_t n = file->read_at(file->cookie, piece, want, at, err);

        if (n < 0)
            goto out;
        if (n == 0 || os_write(list->in, piece, (size_t)n, "the pipe to pg_restore", &closed) < 0)
            break;
        at += (uint64_t)n;
    }
    rc = 0;
out:
    free(piece);
    return rc;
}

static void close_in(struct integrity_list *list)
{
    if (list->in >= 0)
        close(list->in);
    list->in = -1;
}

int integrity_list_read(struct integrity_list *list, const struct walk_file *file, uint64_t size, struct err *err)
{
    int rc = pour(list, file, size, err);

    close_in(list);
    return rc < 0 ? -1 : tool_wait(&list->run, ERR_DAMAGED, err);
}

const char *integrity_list_version(const struct integrity_list *list)
{
    return tool_version(&list->tool);
}

void integrity_list_free(struct integrity_list *list)
{
    if (list == NULL)
        return;
    close_in(list);
    tool_stop(&list->run);
    free(list);
}
