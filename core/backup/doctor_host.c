/* SPDX-License-Identifier: PostgreSQL */
/* doctor_host.c - this host and the database: settings, directories, connection, the tool that matches, privileges. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/backup/doctor_impl.h"
#include "core/backup/places.h"
#include "core/backup/snapshot.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/pg/preflight.h"

/* ---- settings -------------------------------------------------------------------------------------------------- */

/* Who loads them has refused a file that can't be read or that others may write to. */
void doctor_host_settings(struct doctor_exam *e)
{
    const struct settings *s = e->p->settings;
    struct err err = { 0 };

    if (settings_numbers(s, &err) < 0)
        doctor_add_err(e->r, DOCTOR_BROKEN, "settings", &err);
    else if (settings_file(s))
        doctor_add(e->r, DOCTOR_FINE, "settings", "%s, and the environment", settings_file(s));
    else
        doctor_add(e->r, DOCTOR_FINE, "settings", "the environment; there is no settings file");
}

/* ---- the database ---------------------------------------------------------------------------------------------- */

static enum setting database_setting(const struct doctor_params *p)
{
    if (strcmp(p->environment, "production") != 0)
        return SETTING_STAGING_URL;
    return *settings_get(p->settings, SETTING_PRODUCTION_URL) ? SETTING_PRODUCTION_URL : SETTING_DATABASE_URL;
}

static void judge_connection(struct doctor_exam *e, const struct target *t, PGconn *c)
{
    enum setting which = database_setting(e->p);
    const char *tls = PQsslInUse(c) ? PQsslAttribute(c, "protocol") : NULL;
    char origin[DOCTOR_ORIGIN];
    bool here = target_is_local_socket(t) || strcmp(target_host(t), "localhost") == 0 ||
                text_starts(target_host(t), "127.") || strcmp(target_host(t), "::1") == 0;
    struct buf where;

    buf_init(&where, 4096);
    target_describe(t, &where);
    if (*settings_get(e->p->settings, which))
        doctor_origin(origin, e->p->settings, which);
    else
        snprintf(origin, sizeof origin, "libpq's own variables");
    doctor_add(e->r, PQsslInUse(c) || here ? DOCTOR_FINE : DOCTOR_WARNING, "database",
               "%s as %s (%s): PostgreSQL %s, %s", where.data, target_user(t), origin,
               PQparameterStatus(c, "server_version"),
               tls    ? tls
               : here ? "on this host"
                      : "not encrypted");
    if (!PQsslInUse(c) && !here)
        doctor_remedy(e->r, "add sslmode=verify-full to the URL, or at least sslmode=require: everybody on the way can "
                            "read the data now");
    buf_release(&where);
}

static void judge_tool(struct doctor_exam *e, PGconn *c)
{
    const char *bindir = settings_get(e->p->settings, SETTING_PG_BINDIR);
    struct err err = { 0 };
    struct tool tool;

    if (tool_for_server(PQserverVersion(c), *bindir ? bindir : NULL, &tool, &err) < 0)
        doctor_add_err(e->r, DOCTOR_BROKEN, "pg_dump", &err);
    else
        doctor_add(e->r, DOCTOR_FINE, "pg_dump", "%s%s%s fits this server", tool_version(&tool),
                   tool.bindir ? " of " : ", inside sfb,", tool.bindir ? tool.bindir : "");
}

/* A pooler hands out other servers' sessions; then pg_backend_pid() is not whom we connected to. */
static bool judge_pooler(struct doctor_exam *e, PGconn *c)
{
    struct err err = { 0 };
    char *pid = conn_value(c, ERR_DUMP, &err, "SELECT pg_catalog.pg_backend_pid()", 0, NULL);
    char own[16];
    bool pooled;

    snprintf(own, sizeof own, "%d", PQbackendPID(c));
    pooled = pid && strcmp(pid, own) != 0;
    free(pid);
    if (pooled) {
        doctor_add(e->r, DOCTOR_WARNING, "pooler",
                   "the connection goes through one, and pg_dump needs a session of its own");
        doctor_remedy(e->r, "give the server's direct address in the URL");
    }
    return pooled;
}

static void judge_privileges(struct doctor_exam *e, PGconn *c)
{
    struct err err = { 0 };

    if (preflight_privileges(c, &err) < 0)
        doctor_add_err(e->r, DOCTOR_BROKEN, "privileges", &err);
    else
        doctor_add(e->r, DOCTOR_FINE, "privileges", "every table and sequence can be read");
}

static void read_size(struct doctor_exam *e, PGconn *c)
{
    struct preflight_facts facts = { 0 };
    struct err err = { 0 };

    if (preflight_read(c, &facts, &err) == 0)
        e->table_bytes = facts.facts.table_bytes;
    preflight_release(&facts);
}

void doctor_host_database(struct doctor_exam *e)
{
    struct err err = { 0 };
    struct target *t = places_target(e->p->settings, e->p->environment, &err);
    PGconn *c = t ? conn_open(t, NULL, &err) : NULL;

    if (!c) {
        doctor_add_err(e->r, DOCTOR_BROKEN, "database", &err);
        goto out;
    }
    judge_connection(e, t, c);
    judge_tool(e, c);
    if (!judge_pooler(e, c))
        read_size(e, c);
    judge_privileges(e, c);
out:
    conn_close(c);
    target_free(t);
}

/* ---- directories ----------------------------------------------------------------------------------------------- */

/* The directory itself, or the nearest above it that exists: there it would be made. The caller frees. */
static char *nearest(const char *directory)
{
    char *path = strdup(directory);

    while (path && access(path, F_OK) < 0 && strcmp(path, "/") != 0 && strcmp(path, ".") != 0) {
        char *above = os_dirname(path);

        free(path);
        path = above;
    }
    return path;
}

static void judge_space(struct doctor_exam *e, const char *directory)
{
    uint64_t available, expected = snapshot_expected(e->table_bytes, METHOD_GZIP, 6);
    char have[TEXT_SHORT], need[TEXT_SHORT];
    struct err err = { 0 };

    if (os_free_space(directory, &available, &err) < 0) {
        doctor_add_err(e->r, DOCTOR_WARNING, "space", &err);
        return;
    }
    text_size(have, available);
    text_size(need, expected);
    if (e->table_bytes == 0)
        doctor_add(e->r, DOCTOR_FINE, "space", "%s free in %s; how much a dump needs is not known", have, directory);
    else
        doctor_add(e->r, available < expected ? DOCTOR_BROKEN : DOCTOR_FINE, "space",
                   "%s free in %s; a dump is expected to need %s", have, directory, need);
    if (e->table_bytes > 0 && available < expected)
        doctor_remedy(e->r, "make room there, set SFB_WORK_DIR to a larger disk, or back up with --stream");
}

/* An administrator may have prepared the audit logs in a directory that is not ours. */
static bool has_own_log(const struct settings *s)
{
    char *path = NULL;
    bool found;

    if (asprintf(&path, "%s/%s-backup-audit.log", settings_get(s, SETTING_LOG_DIR), settings_get(s, SETTING_APP)) < 0)
        return false;
    found = access(path, W_OK) == 0;
    free(path);
    return found;
}

/* there: what of the path exists, NULL for nothing. */
static void tell_unusable(struct doctor_exam *e, enum setting which, const char *topic, const char *origin,
                          const char *there, bool broken)
{
    const char *directory = settings_get(e->p->settings, which), *name = settings_name(which);
    enum doctor_state state = broken ? DOCTOR_BROKEN : DOCTOR_WARNING;
    struct stat st;

    if (there && stat(there, &st) == 0 && !S_ISDIR(st.st_mode)) {
        doctor_add(e->r, state, topic, "%s is a file, not a directory (%s)%s", there, origin,
                   broken ? "" : ": done without");
        doctor_remedy(e->r, "set %s to a directory", name);
        return;
    }
    doctor_add(e->r, state, topic, "user %s can't write to %s (%s)%s", os_user(), directory, origin,
               broken ? "" : ": done without");
    doctor_remedy(e->r, "as root: install -d -m 750 -o %s %s; or set %s to another directory", os_user(), directory,
                  name);
}

/* needed: there is no backup without it, even when nobody named it */
static bool judge_directory(struct doctor_exam *e, enum setting which, const char *topic, bool needed)
{
    const struct settings *s = e->p->settings;
    const char *directory = settings_get(s, which);
    char origin[DOCTOR_ORIGIN], *there = NULL;
    bool usable = false;

    doctor_origin(origin, s, which);
    if (!*directory) {
        doctor_add(e->r, needed ? DOCTOR_BROKEN : DOCTOR_FINE, topic, "none (%s)", origin);
        return false;
    }
    there = nearest(directory);
    usable = directory[0] != '~' && there && os_dir_usable(there);
    if (usable && strcmp(there, directory) == 0)
        doctor_add(e->r, DOCTOR_FINE, topic, "%s (%s)", directory, origin);
    else if (usable)
        doctor_add(e->r, DOCTOR_FINE, topic, "%s will be made (%s)", directory, origin);
    else if (which == SETTING_LOG_DIR && has_own_log(s))
        doctor_add(e->r, DOCTOR_FINE, topic, "the log in %s is there and can be written (%s)", directory, origin);
    else
        tell_unusable(e, which, topic, origin, there, needed || settings_given(s, which));
    free(there);
    return usable;
}

void doctor_host_directories(struct doctor_exam *e)
{
    char *there;

    if (judge_directory(e, SETTING_WORK_DIR, "work directory", true) &&
        (there = nearest(settings_get(e->p->settings, SETTING_WORK_DIR)))) {
        judge_space(e, there);
        free(there);
    }
    judge_directory(e, SETTING_CACHE_DIR, "cache", false);
    judge_directory(e, SETTING_LOG_DIR, "audit log", false);
    judge_directory(e, SETTING_STATE_DIR, "state", false);
}
