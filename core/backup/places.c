/* SPDX-License-Identifier: PostgreSQL */
/* places.c - where this host keeps things, and the databases of the environments. */
#include "core/backup/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/text.h"

/* ---- directories --------------------------------------------------------------------------------------------- */

/* The directory of a setting, made when it is missing. */
static int open_named(const struct settings *s, enum setting which, mode_t mode, char **path, struct err *err)
{
    const char *directory = settings_get(s, which);

    if (*directory == '~') {
        err_set(err, ERR_CONFIG, "%s is %s: nothing but a shell knows what ~ is", settings_name(which), directory);
        err_hint(err, "write the directory's whole path");
        return -1;
    }
    if (os_make_dirs(directory, mode, err) < 0) {
        err_reclass(err, ERR_CONFIG);
        err_context(err, "%s", settings_name(which));
        err_hint(err, "create %s for user %s, or set %s to a directory that can be written", directory, os_user(),
                 settings_name(which));
        return -1;
    }
    if (!os_dir_usable(directory)) {
        err_set(err, ERR_CONFIG, "%s: %s is no directory that user %s may write to", settings_name(which), directory,
                os_user());
        err_hint(err, "change its owner or mode, or set %s to another directory", settings_name(which));
        return -1;
    }
    *path = strdup(directory);
    return *path ? 0 : err_no_memory(err);
}

/* May our user write an audit log in the directory, though not the directory itself? An administrator may have prepared
 * the file. */
static bool has_own_log(const struct settings *s)
{
    static const char *const which[] = { "backup", "restore" };
    bool found = false;

    for (size_t i = 0; i < 2 && !found; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s-%s-audit.log", settings_get(s, SETTING_LOG_DIR), settings_get(s, SETTING_APP),
                     which[i]) < 0)
            return false;
        found = access(path, W_OK) == 0;
        free(path);
    }
    return found;
}

/* One that can be done without when nobody named it; its purpose is then added to `without`. */
static int open_optional(const struct settings *s, enum setting which, mode_t mode, const char *purpose, char **path,
                         struct buf *without, struct err *err)
{
    struct err ignored = { .class = ERR_NONE };

    if (!*settings_get(s, which))
        return 0;
    if (which == SETTING_LOG_DIR && has_own_log(s)) {
        *path = strdup(settings_get(s, which));
        return *path ? 0 : err_no_memory(err);
    }
    if (settings_given(s, which))
        return open_named(s, which, mode, path, err);
    if (open_named(s, which, mode, path, &ignored) < 0)
        buf_printf(without, "%s%s (%s)", without->size > 0 ? ", " : "", purpose, settings_get(s, which));
    return 0;
}

/* Once: one run opens its places more than once. */
static void warn_without(const char *what)
{
    static bool warned;

    if (*what != '\0' && !warned)
        log_warn("going on without what user %s may not write: %s", os_user(), what);
    warned = warned || *what != '\0';
}

int places_open(const struct settings *s, struct places *p, struct err *err)
{
    struct buf without;
    int rc = -1;

    memset(p, 0, sizeof *p);
    buf_init(&without, 16384);
    if (!*settings_get(s, SETTING_WORK_DIR)) {
        err_set(err, ERR_CONFIG, "SFB_WORK_DIR is empty: dumps need a directory");
        goto out;
    }
    if (open_named(s, SETTING_WORK_DIR, 0750, &p->work, err) < 0 ||
        open_optional(s, SETTING_CACHE_DIR, 0750, "cache", &p->cache, &without, err) < 0 ||
        open_optional(s, SETTING_LOG_DIR, 0750, "audit log", &p->logs, &without, err) < 0 ||
        open_optional(s, SETTING_STATE_DIR, 0700, "state", &p->state, &without, err) < 0)
        goto out;
    warn_without(without.data);
    rc = 0;
out:
    buf_release(&without);
    if (rc < 0)
        places_release(p);
    return rc;
}

void places_open_state(const struct settings *s, struct places *p)
{
    const char *directory = settings_get(s, SETTING_STATE_DIR);
    struct err ignored = { 0 };
    char *what = NULL;

    memset(p, 0, sizeof *p);
    if (*directory == '\0' || open_named(s, SETTING_STATE_DIR, 0700, &p->state, &ignored) == 0)
        return;
    if (asprintf(&what, "state (%s)", directory) < 0)
        what = NULL;
    warn_without(what != NULL ? what : "state");
    free(what);
}

void places_release(struct places *p)
{
    free(p->work);
    free(p->cache);
    free(p->logs);
    free(p->state);
    memset(p, 0, sizeof *p);
}

/* ---- databases ----------------------------------------------------------------------------------------------- */

int places_check_environment(const char *environment, struct err *err)
{
    if (strcmp(environment, "production") == 0 || strcmp(environment, "staging") == 0)
        return 0;
    err_set(err, ERR_USAGE, "there is no environment \"%s\"", environment);
    err_hint(err, "the environments are production and staging");
    return -1;
}

static bool libpq_knows(void)
{
    static const char *const names[] = { "PGDATABASE", "PGHOST", "PGHOSTADDR", "PGSERVICE" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return true;
    }
    return false;
}

struct target *places_target(const struct settings *s, const char *environment, struct err *err)
{
    bool production = strcmp(environment, "production") == 0;
    enum setting which = production ? SETTING_PRODUCTION_URL : SETTING_STAGING_URL;
    struct target *t;

    if (places_check_environment(environment, err) < 0)
        return NULL;
    if (production && !*settings_get(s, which))
        which = SETTING_DATABASE_URL;
    if (!*settings_get(s, which)) {
        if (production && libpq_knows())
            return target_parse("", err);
        err_set(err, ERR_CONFIG, "no database is set for the environment %s", environment);
        if (production)
            err_hint(err,
                     "set PRODUCTION_DATABASE_URL or DATABASE_URL, for example "
                     "postgresql://backup@db.example.com:5432/%s; or PGHOST and PGDATABASE",
                     settings_get(s, SETTING_APP));
        else
            err_hint(err, "set STAGING_DATABASE_URL; staging never uses production's database by itself");
        return NULL;
    }
    t = target_parse(settings_get(s, which), err);
    if (!t)
        err_context(err, "%s", settings_name(which));
    return t;
}

/* ---- locks --------------------------------------------------------------------------------------------------- */

int places_lock(const struct settings *s, const struct places *p, const char *environment, struct os_lock *lock,
                struct err *err)
{
    const char *directory = p->state ? p->state : p->work;
    char *path = NULL;
    int rc;

    *lock = (struct os_lock)OS_LOCK_NONE;
    if (asprintf(&path, "%s/%s-%s.lock", directory, settings_get(s, SETTING_APP), environment) < 0)
        return err_no_memory(err);
    rc = os_lock_take(lock, path, 0, err);
    if (rc < 0 && err->class == ERR_IO)
        err_hint(err, "another user may have left it; set SFB_STATE_DIR to a directory of user %s", os_user());
    free(path);
    return rc;
}
