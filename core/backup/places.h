/* SPDX-License-Identifier: PostgreSQL */
/* places.h - where this host keeps things, and the databases of the environments: settings turned into paths.
 *
 * A directory that was named in the settings must be usable, else ERR_CONFIG. One that stands there by default and
 * can't be used (no root, a read-only root) is done without, with one warning: then its path is NULL.
 */
#pragma once
#include "core/backup/settings.h"
#include "core/base/err.h"
#include "core/base/os.h"
#include "core/pg/conn.h"

struct places {
    char *work;  /* always there */
    char *cache; /* NULL: none */
    char *logs;  /* NULL: none */
    char *state; /* NULL: none; locks are then taken in work */
};

/* Creates what is missing (0750; state 0700). */
int places_open(const struct settings *s, struct places *p, struct err *err);
void places_release(struct places *p);

/* The state directory alone, for what follows a run and must not fail: one that can't be used is done without, with a
 * warning unless there was one already. The other paths are NULL. */
void places_open_state(const struct settings *s, struct places *p);

/* "production" or "staging"; anything else is ERR_USAGE. */
int places_check_environment(const char *environment, struct err *err);

/* The environment's database (DESIGN: production is PRODUCTION_DATABASE_URL, else DATABASE_URL; staging never falls back
 * to production's). With no URL, libpq's own variables count for production when PGDATABASE, PGHOST or PGSERVICE is set. */
struct target *places_target(const struct settings *s, const char *environment, struct err *err);

/* One backup or restore of an environment at a time. Not in `state` but in `work` when there is no state directory. */
int places_lock(const struct settings *s, const struct places *p, const char *environment, struct os_lock *lock,
                struct err *err);
