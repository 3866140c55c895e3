/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/ownership.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/pg/roles.h"
#include "core/pg/sqltext.h"

#define MAX_SCRIPT (256u * 1024 * 1024)

struct giving {
    const struct restore_plan *plan;
    PGconn *c;
    size_t given, refused;
    struct err first; /* refusal */
};

/* -1 only when there is no going on. */
static int run(struct giving *g, struct sql_reader statement, struct err *err)
{
    struct err why = { 0 };
    char *sql = strndup(statement.at, (size_t)(statement.end - statement.at));
    int rc;

    if (sql == NULL)
        return err_no_memory(err);
    rc = conn_exec(g->c, ERR_RESTORE, &why, sql);
    free(sql);
    if (rc == 0) {
        g->given++;
        return 0;
    }
    if (os_check_interrupt(err) < 0)
        return -1;
    if (PQstatus(g->c) != CONNECTION_OK) {
        *err = why;
        return -1;
    }
    if (g->refused++ == 0)
        g->first = why;
    return 0;
}

/* ---- owners ------------------------------------------------------------------------------------------------------ */

/* The role of "ALTER ... OWNER TO role", or NULL. Caller frees. */
static char *new_owner(struct sql_reader r)
{
    struct sql_token t;

    if (!sql_take(&r, "ALTER"))
        return NULL;
    while (sql_next(&r, &t) != SQL_END)
        if (sql_is_word(&t, "OWNER") && sql_take(&r, "TO") && sql_next(&r, &t) != SQL_END)
            return sql_name(&t);
    return NULL;
}

static int give_owners(struct giving *g, const char *script, size_t n, struct err *err)
{
    struct sql_reader r = sql_reader(script, n), statement;
    const struct restore_plan *plan = g->plan;

    while (sql_statement(&r, &statement)) {
        char *role = new_owner(statement);
        bool can = role != NULL && !names_have(&plan->refused, role) && !names_have(&plan->foreign, role) &&
                   strcmp(role, plan->user) != 0;

        free(role);
        if (can && run(g, statement, err) < 0)
            return -1;
    }
    return 0;
}

/* What pg_restore would say, as a script. */
static int write_script(const struct restore_plan *plan, const struct restore_files *files, int fd, struct err *err)
{
    const char *args[] = { "--section=pre-data", "--section=post-data", "--file=-", "--no-privileges", NULL, NULL };
    struct tool_run run = { TOOL_RUN_NONE };
    char *path = restore_path(files, err);
    int rc = -1;

    if (path == NULL)
        return -1;
    args[4] = path;
    run.tool = &plan->tool;
    run.program = TOOL_PG_RESTORE;
    run.args = args;
    run.stdout_fd = fd;
    if (restore_same_file(files->path, files->fd, err) == 0 && tool_start(&run, err) == 0)
        rc = tool_wait(&run, ERR_RESTORE, err);
    tool_stop(&run);
    free(path);
    return rc;
}

static int all_owners(struct giving *g, const struct restore_files *files, struct err *err)
{
    int fd = memfd_create("sfb-owners", MFD_CLOEXEC), rc = -1;
    struct stat st;
    char *script = MAP_FAILED;

    if (fd < 0)
        return err_errno(err, "no memory file");
    if (write_script(g->plan, files, fd, err) < 0)
        goto out;
    if (fstat(fd, &st) < 0 || st.st_size > (off_t)MAX_SCRIPT) {
        err_set(err, ERR_RESTORE, "the schema is too large to read owners from");
        goto out;
    }
    script = st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (script == MAP_FAILED) {
        rc = st.st_size == 0 ? 0 : err_errno(err, "can't read the schema");
        goto out;
    }
    rc = give_owners(g, script, (size_t)st.st_size, err);
out:
    if (script != MAP_FAILED)
        munmap(script, (size_t)st.st_size);
    close(fd);
    return rc;
}

/* ---- privileges -------------------------------------------------------------------------------------------------- */

static int give_entry(struct giving *g, const char *sql, struct err *err)
{
    struct sql_reader r = sql_reader(sql, strlen(sql)), statement;
    int rc = 0;

    while (rc == 0 && sql_statement(&r, &statement)) {
        struct names roles = { 0 };
        bool can = true;

        rc = roles_of_statement(statement.at, (size_t)(statement.end - statement.at), &roles, err);
        for (size_t i = 0; i < roles.n; i++)
            can = can && !names_have(&g->plan->refused, roles.items[i]);
        names_release(&roles);
        if (rc == 0 && can)
            rc = run(g, statement, err);
    }
    return rc;
}

int ownership_apply(const struct restore_plan *plan, const struct restore_files *files, const struct target *into,
                    struct err *err)
{
    struct giving g = { .plan = plan };
    const struct archive *a = plan->archive;
    int rc = -1;

    if (!plan->no_owner && plan->n_mine == 0)
        return 0;
    g.c = conn_open(into, NULL, err);
    if (g.c == NULL || (plan->no_owner && all_owners(&g, files, err) < 0))
        goto out;
    for (size_t i = 0; i < a->n; i++)
        if (plan->mine[i] && give_entry(&g, a->entries[i].defn, err) < 0)
            goto out;
    if (g.refused > 0)
        log_warn("%zu of %zu owners and privileges could not be given, e.g. %s", g.refused, g.refused + g.given,
                 g.first.message);
    rc = 0;
out:
    conn_close(g.c);
    return rc;
}
