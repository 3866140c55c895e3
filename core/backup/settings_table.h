/* SPDX-License-Identifier: PostgreSQL */
/* settings_table.h - every setting of sfb, once: SETTING(id, name, default, secret, help).
 *
 * Not a header of its own: settings.h and settings.c include it with SETTING defined. ${APP} in a default stands for
 * the value of SFB_APP.
 */
SETTING(APP, "SFB_APP", "signupflow", false, "name of the application: part of file, bucket and directory names")
SETTING(WORK_DIR, "SFB_WORK_DIR", "/tmp", false, "where dumps are written while they are made")
SETTING(CACHE_DIR, "SFB_CACHE_DIR", "/var/backups/${APP}", false, "local cache of recent backups; empty: no cache")
SETTING(CACHE_KEEP, "SFB_CACHE_KEEP", "7", false, "backups kept in the cache, per environment")
SETTING(LOG_DIR, "SFB_LOG_DIR", "/var/log", false, "directory of the audit logs")
SETTING(STATE_DIR, "SFB_STATE_DIR", "/var/lib/${APP}", false, "locks and history")
SETTING(PRODUCTION_URL, "PRODUCTION_DATABASE_URL", "", true, "database of the production environment")
SETTING(STAGING_URL, "STAGING_DATABASE_URL", "", true, "database of the staging environment")
SETTING(DATABASE_URL, "DATABASE_URL", "", true, "production's database when PRODUCTION_DATABASE_URL is not set")
SETTING(JOBS, "SFB_JOBS", "0", false, "threads and restore jobs; 0: as many as there are processors")
SETTING(LOCK_TIMEOUT, "SFB_LOCK_TIMEOUT", "300", false,
        "seconds pg_dump waits for a table that something else has locked; 0: forever")
SETTING(PG_BINDIR, "SFB_PG_BINDIR", "", false,
        "directory of the host's own PostgreSQL programs, for servers newer than sfb's")
