/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <stdarg.h>
#include <sys/wait.h>

#include "core/backup/catalog.h"
#include "core/base/os.h"

#define NOW 1761229935 /* 2025-10-23 14:32:15 */
#define DAY 86400
#define MD5 "0123456789abcdef0123456789abcdef"

/* ---- helpers ------------------------------------------------------------------------------------------------- */

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static bool there(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool there(const char *format, ...)
{
    char path[256];
    va_list args;

    va_start(args, format);
    vsnprintf(path, sizeof path, format, args);
    va_end(args);
    return access(path, F_OK) == 0;
}

static void describe(struct manifest *m, const char *file, time_t started, const char *environment)
{
    struct err err = { 0 };

    manifest_init(m);
    manifest_set(&m->app, "shop", &err);
    manifest_set(&m->environment, environment, &err);
    manifest_set(&m->file, file, &err);
    m->method = METHOD_GZIP;
    m->started = m->snapshot_at = m->finished = started;
    m->size = 4;
    memcpy(m->md5, MD5, sizeof MD5);
    memcpy(m->sha256, MD5 MD5, sizeof MD5 MD5);
    assert_int_equal(err.class, ERR_NONE);
}

static void write_manifest(const struct manifest *m, const char *path)
{
    struct err err = { 0 };
    struct buf text;

    buf_init(&text, MANIFEST_MAX);
    assert_int_equal(manifest_write(m, &text, &err), 0);
    put(path, text.data);
    buf_release(&text);
}

/* A backup with globals and manifest in `dir`, taken `days` days ago. */
static void backup(const char *dir, int days, const char *environment, enum tier tier)
{
    struct err err = { 0 };
    char *name = manifest_file_name(NULL, NOW - days * DAY, ".dump"), *path = os_path(dir, name);
    char *globals = manifest_globals_path_of(path), *manifest = manifest_path_of(path);
    struct manifest m;

    put(path, "dump");
    put(globals, "globals");
    describe(&m, name, NOW - days * DAY, environment);
    m.tier = tier;
    manifest_set(&m.globals_file, os_basename(globals), &err);
    memcpy(m.globals_sha256, MD5 MD5, sizeof MD5 MD5);
    write_manifest(&m, manifest);
    manifest_release(&m);
    free(name);
    free(path);
    free(globals);
    free(manifest);
}

static bool has_backup(int days, const char *ending)
{
    char *stem = manifest_file_name(NULL, NOW - days * DAY, ending);
    bool found = there("%s", stem);

    free(stem);
    return found;
}

static void trim(size_t keep)
{
    struct err err = { 0 };

    if (catalog_cache_trim(".", "production", keep, &err) < 0)
        fail_msg("%s", err.message);
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

static void reading(void **state)
{
    struct err err = { 0 };
    struct catalog c;

    (void)state;
    backup(".", 3, "production", TIER_DAILY);
    backup(".", 1, "staging", TIER_DAILY);
    put("signupflow-backup-20251023-000000.dump", "no manifest");
    put("backup-20200101-000000.sql.gz", "x");
    put("backup-20200101-000000.manifest.json", "damaged");
    put("notes.txt", "x");
    put("backup-latest.dump", "x");
    assert_int_equal(mkdir("backup-20251023-010000.dump", 0700), 0);
    assert_int_equal(symlink("notes.txt", "backup-20251023-020000.dump"), 0);

    assert_int_equal(catalog_read(".", NULL, &c, &err), 0);
    assert_int_equal(c.n, 4);
    assert_string_equal(c.items[0].path, "./signupflow-backup-20251023-000000.dump");
    assert_false(c.items[0].has_manifest);
    assert_true(c.items[0].size == 11);
    assert_string_equal(c.items[1].manifest.environment, "staging");
    assert_true(catalog_is_complete(&c.items[1]));
    assert_string_equal(c.items[2].manifest.environment, "production");
    assert_false(c.items[3].has_manifest);
    assert_ptr_equal(catalog_newest(&c, 0), &c.items[0]);
    assert_ptr_equal(catalog_newest(&c, NOW - 2 * DAY), &c.items[2]);
    assert_ptr_equal(catalog_newest(&c, NOW - 3 * DAY), &c.items[2]); /* not after: the same second counts */
    assert_null(catalog_newest(&c, 1));
    catalog_release(&c);

    assert_int_equal(catalog_read(".", "production", &c, &err), 0);
    assert_int_equal(c.n, 1);
    catalog_release(&c);
    assert_int_equal(catalog_read("missing", NULL, &c, &err), -1);
    assert_int_equal(err.class, ERR_IO);
}

/* ---- adding -------------------------------------------------------------------------------------------------- */

static void adding(void **state)
{
    struct err err = { 0 };
    struct manifest m, cached;
    struct stat a, b;
    char *path = NULL;

    (void)state;
    assert_int_equal(mkdir("work", 0700) | mkdir("cache", 0700), 0);
    put("work/shop-backup-20251023-143215.dump", "dump");
    put("work/shop-backup-20251023-143215.globals.sql", "globals");
    describe(&m, "shop-backup-20251023-143215.dump", NOW, "production");
    manifest_set(&m.globals_file, "shop-backup-20251023-143215.globals.sql", &err);
    memcpy(m.globals_sha256, MD5 MD5, sizeof MD5 MD5);
    assert_int_equal(catalog_cache_add("cache", &m, "work/shop-backup-20251023-143215.dump",
                                       "work/shop-backup-20251023-143215.globals.sql", &path, &err),
                     0);
    assert_string_equal(path, "cache/backup-20251023-143215.dump");
    assert_int_equal(stat(path, &a) | stat("work/shop-backup-20251023-143215.dump", &b), 0);
    assert_true(a.st_ino == b.st_ino); /* linked, not copied */
    assert_true(there("cache/backup-20251023-143215.globals.sql"));
    assert_int_equal(manifest_load("cache/backup-20251023-143215.manifest.json", &cached, &err), 0);
    assert_string_equal(cached.file, "backup-20251023-143215.dump"); /* it names what stands beside it */
    assert_string_equal(cached.globals_file, "backup-20251023-143215.globals.sql");
    manifest_release(&cached);
    free(path);

    /* again: it is there already */
    assert_int_equal(catalog_cache_add("cache", &m, "work/shop-backup-20251023-143215.dump",
                                       "work/shop-backup-20251023-143215.globals.sql", NULL, &err),
                     0);
    manifest_release(&m);
}

static void labelled(void **state)
{
    struct err err = { 0 };
    struct manifest m;

    (void)state;
    assert_int_equal(mkdir("cache", 0700), 0);
    put("x.sql.gz", "dump");
    describe(&m, "x.sql.gz", NOW, "production");
    manifest_set(&m.label, "pre-upgrade", &err);
    m.format = FORMAT_SQL;
    assert_int_equal(catalog_cache_add("cache", &m, "x.sql.gz", NULL, NULL, &err), 0);
    assert_true(there("cache/pre-upgrade-20251023-143215.sql.gz"));
    assert_true(there("cache/pre-upgrade-20251023-143215.manifest.json"));
    assert_false(there("cache/pre-upgrade-20251023-143215.globals.sql"));
    manifest_release(&m);
}

static void nothing_half(void **state)
{
    struct err err = { 0 };
    struct manifest m;

    (void)state;
    assert_int_equal(mkdir("cache", 0700), 0);
    put("x.dump", "dump");
    describe(&m, "x.dump", NOW, "production");
    assert_int_equal(catalog_cache_add("cache", &m, "x.dump", "missing.sql", NULL, &err), -1);
    assert_false(there("cache/backup-20251023-143215.dump"));
    err_clear(&err);
    put("g.sql", "globals");
    m.sha256[0] = '\0'; /* its manifest can't be written */
    assert_int_equal(catalog_cache_add("cache", &m, "x.dump", "g.sql", NULL, &err), -1);
    assert_false(there("cache/backup-20251023-143215.dump"));
    assert_false(there("cache/backup-20251023-143215.globals.sql"));
    assert_true(there("x.dump"));
    assert_true(there("g.sql"));
    err_clear(&err);
    put("cache/backup-20251023-143215.dump", "another backup of the same second");
    memcpy(m.sha256, MD5 MD5, sizeof MD5 MD5);
    assert_int_equal(catalog_cache_add("cache", &m, "x.dump", "g.sql", NULL, &err), -1);
    assert_true(there("cache/backup-20251023-143215.dump")); /* not overwritten, not removed */
    manifest_release(&m);
}

static void cache_is_work(void **state)
{
    struct err err = { 0 };
    struct catalog c;

    (void)state;
    backup(".", 0, "production", TIER_DAILY);
    assert_int_equal(catalog_read(".", NULL, &c, &err), 0);
    assert_int_equal(catalog_cache_add(".", &c.items[0].manifest, "./backup-20251023-143215.dump",
                                       "./backup-20251023-143215.globals.sql", NULL, &err),
                     0);
    catalog_release(&c);
    assert_true(has_backup(0, ".dump") && has_backup(0, ".manifest.json") && has_backup(0, ".globals.sql"));
}

/* ---- removing ------------------------------------------------------------------------------------------------ */

static void keeps_newest(void **state)
{
    (void)state;
    for (int days = 0; days < 10; days++)
        backup(".", days, "production", TIER_DAILY);
    trim(7);
    for (int days = 0; days < 10; days++) {
        assert_int_equal(has_backup(days, ".dump"), days < 7);
        assert_int_equal(has_backup(days, ".manifest.json"), days < 7);
        assert_int_equal(has_backup(days, ".globals.sql"), days < 7);
    }
    trim(7);
    assert_true(has_backup(6, ".dump")); /* age alone removes nothing */
    trim(0);
    assert_true(has_backup(0, ".dump")); /* never nothing */
    assert_false(has_backup(1, ".dump"));
}

static void leaves_others(void **state)
{
    (void)state;
    backup(".", 1, "production", TIER_DAILY);
    backup(".", 2, "production", TIER_DAILY);
    backup(".", 3, "staging", TIER_DAILY);
    backup(".", 4, "production", TIER_WEEKLY);
    backup(".", 5, "production", TIER_MANUAL);
    put("backup-20200101-000000.dump", "without a manifest");
    put("notes.txt", "x");
    trim(1);
    assert_true(has_backup(1, ".dump"));
    assert_false(has_backup(2, ".dump"));
    assert_true(has_backup(3, ".dump") && has_backup(4, ".dump") && has_backup(5, ".dump"));
    assert_true(there("backup-20200101-000000.dump"));
    assert_true(there("notes.txt"));
}

static void damaged_do_not_count(void **state)
{
    (void)state;
    for (int days = 1; days <= 4; days++)
        backup(".", days, "production", TIER_DAILY);
    for (int days = 1; days <= 2; days++) { /* the newest two are cut short */
        char *name = manifest_file_name(NULL, NOW - days * DAY, ".dump");
        put(name, "du");
        free(name);
    }
    trim(2);
    assert_true(has_backup(3, ".dump") && has_backup(4, ".dump")); /* the good ones stay */
    trim(1);
    assert_true(has_backup(3, ".dump"));
    assert_false(has_backup(4, ".dump"));
}

static void foreign_names_stay(void **state)
{
    struct err err = { 0 };
    struct manifest m;
    char *name = manifest_file_name(NULL, NOW - 9 * DAY, ".dump"), *manifest = manifest_path_of(name);

    (void)state;
    backup(".", 1, "production", TIER_DAILY);
    backup(".", 2, "production", TIER_DAILY);
    put(name, "dump");
    describe(&m, "precious.dump", NOW - 9 * DAY, "production"); /* it names another file */
    put("precious.dump", "x");
    write_manifest(&m, manifest);
    manifest_release(&m);
    /* and one that is to go names the globals of another */
    describe(&m, "backup-20251021-143215.dump", NOW - 2 * DAY, "production");
    manifest_set(&m.globals_file, "precious.dump", &err);
    memcpy(m.globals_sha256, MD5 MD5, sizeof MD5 MD5);
    write_manifest(&m, "backup-20251021-143215.manifest.json");
    manifest_release(&m);
    trim(1);
    assert_true(there("precious.dump"));
    assert_true(there("%s", name) && there("%s", manifest));
    assert_false(has_backup(2, ".dump"));
    free(name);
    free(manifest);
}

/* In a child that is nobody, for root may remove everything. Exit 0: as promised. */
static int trim_as_nobody(void)
{
    struct err err = { 0 };

    if (geteuid() == 0 && setuid(65534) < 0)
        return 2;
    return catalog_cache_trim("cache", "production", 1, &err) == -1 && err.class == ERR_IO &&
                   strstr(err.message, "can't remove")
             ? 0
             : 1;
}

static void says_what_stays(void **state)
{
    int status;
    pid_t child;

    (void)state;
    assert_int_equal(chmod(".", 0755), 0);
    assert_int_equal(mkdir("cache", 0700), 0);
    backup("cache", 1, "production", TIER_DAILY);
    backup("cache", 2, "production", TIER_DAILY);
    assert_int_equal(chmod("cache", 0555), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(trim_as_nobody());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(there("cache/backup-20251021-143215.dump"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_IN_DIR("backups are found by name, newest first, with or without a manifest", reading),
        PROMISE_IN_DIR("the cache gets dump, globals and a manifest that names them", adding),
        PROMISE_IN_DIR("a label stays in the name", labelled),
        PROMISE_IN_DIR("what can't be added whole is not added", nothing_half),
        PROMISE_IN_DIR("a backup that was made in the cache is there already", cache_is_work),
        PROMISE_IN_DIR("the newest are kept whatever their age, and never none", keeps_newest),
        PROMISE_IN_DIR("other environments, tiers and files are left alone", leaves_others),
        PROMISE_IN_DIR("damaged backups push no good one out", damaged_do_not_count),
        PROMISE_IN_DIR("a manifest removes no file but its own", foreign_names_stay),
        PROMISE_IN_DIR("what can't be removed is told", says_what_stays),
    };

    return RUN_PROMISES(tests);
}
