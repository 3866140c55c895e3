/* SPDX-License-Identifier: PostgreSQL */
/* test_proofs.c - the names of drills' reports, and what a listing of them tells. */
#include "test/unit/unit.h"

#include "core/backup/proofs.h"
#include "core/base/clock.h"
#include "core/base/os.h"

static time_t at(const char *stamp)
{
    time_t t = 0;

    assert_true(clock_parse_stamp(stamp, &t));
    return t;
}

static void check_backup_name(const char *path, const char *expected)
{
    char *name = proofs_backup_name(path);

    assert_string_equal(name, expected);
    free(name);
}

static void backup_names(void **state)
{
    (void)state;
    check_backup_name("s3://b/production/daily/backup-20251023-020000.dump", "backup-20251023-020000");
    check_backup_name("/var/backups/shop/backup-20251023-020000.sql.gz", "backup-20251023-020000");
    check_backup_name("/tmp/shop-backup-20251023-020000.dump", "backup-20251023-020000");
    check_backup_name("/tmp/sign-up-backup-20251023-020000.sql", "backup-20251023-020000");
    check_backup_name("manual/pre-migration-20251023-020000.dump", "pre-migration-20251023-020000");
    check_backup_name("/tmp/my-backup-of-monday.dump", "my-backup-of-monday");
    check_backup_name("-backup-20251023-020000.dump", "backup-20251023-020000");
    check_backup_name("20251023-020000.dump", "20251023-020000");
    check_backup_name("/tmp/gr\xC3\xB6\xC3\x9F"
                      "e <b>\n?.dump",
                      "gr____e__b___");
    check_backup_name(".dump", "");
    check_backup_name("", "");
    check_backup_name(NULL, "");
}

static void check_round_trip(enum proofs_verdict verdict, const char *path, const char *name, const char *backup)
{
    char *built = proofs_name(at("20251101-040000"), verdict, path), *file = NULL;
    struct proofs_item item;
    struct err err = { 0 };

    assert_string_equal(built, name);
    assert_true(asprintf(&file, "%s.json", built) > 0);
    assert_int_equal(proofs_parse("production", file, &item, &err), 1);
    assert_string_equal(item.name, name);
    assert_string_equal(item.environment, "production");
    assert_string_equal(item.backup, backup);
    assert_int_equal(item.verdict, verdict);
    assert_int_equal(item.drilled, at("20251101-040000"));
    free(item.name);
    free(item.environment);
    free(item.backup);
    free(file);
    free(built);
}

static void round_trips(void **state)
{
    char *key = proofs_key("production", "drill-x", ".html");

    (void)state;
    check_round_trip(PROOFS_PASSED, "s3://b/production/daily/backup-20251023-020000.dump",
                     "drill-20251101-040000-passed-backup-20251023-020000", "backup-20251023-020000");
    check_round_trip(PROOFS_FAILED, "/tmp/failed-passed-20251023-020000.sql",
                     "drill-20251101-040000-failed-failed-passed-20251023-020000", "failed-passed-20251023-020000");
    check_round_trip(PROOFS_UNFINISHED, NULL, "drill-20251101-040000-unfinished", "");
    check_round_trip(PROOFS_PASSED, "/tmp/a.json.dump", "drill-20251101-040000-passed-a.json", "a.json");
    assert_string_equal(key, "production/reports/drill-x.html");
    free(key);
}

static void no_reports(void **state)
{
    static const char *const names[] = { "",
                                         "drill-",
                                         "drill-20251101-040000",
                                         "drill-20251101-040000-",
                                         "drill-20251101-040000-.html",
                                         "drill-20251101-040000-passed-",
                                         "drill-20251101-040000-passed-.html",
                                         "drill-20251101-040000-passedx",
                                         "drill-20251101-040000-maybe-backup-20251023-020000.html",
                                         "drill-20251301-040000-passed-backup-20251023-020000.html",
                                         "drill-20251101-0400001passed-x.html",
                                         "drill-20251101-040000-passed-a/b.html",
                                         "backup-20251023-020000.dump",
                                         ".drill-20251101-040000-passed-x.html.partial-12" };
    struct proofs_item item;
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(proofs_parse("production", names[i], &item, &err), 0);
}

/* ---- a host's reports ------------------------------------------------------------------------------------------- */

static void put(const char *environment, const char *name)
{
    char path[512];
    struct err err = { 0 };

    snprintf(path, sizeof path, "state/reports/%s", environment);
    assert_int_equal(os_make_dirs(path, 0700, &err), 0);
    snprintf(path, sizeof path, "state/reports/%s/%s", environment, name);
    assert_int_equal(os_write_file(path, "x", 1, &err), 0);
}

static struct proofs host(const char *environment)
{
    struct proofs p = { 0 };
    struct err err = { 0 };

    assert_int_equal(proofs_read_host(&p, "state", environment, &err), 0);
    return p;
}

static void once_each(void **state)
{
    struct proofs p;
    struct err err = { 0 };

    (void)state;
    put("production", "drill-20251101-040000-passed-backup-20251031-020000.html");
    put("production", "drill-20251101-040000-passed-backup-20251031-020000.json");
    put("production", "drill-20251102-040000-failed-backup-20251101-020000.txt");
    put("production", "note.txt");
    put("staging", "drill-20251101-040000-passed-backup-20251031-020000.html");
    p = host(NULL);
    assert_int_equal(p.n, 3);
    assert_int_equal(p.items[0].drilled, at("20251102-040000"));
    assert_int_equal(proofs_read_host(&p, "state", NULL, &err), 0);
    assert_int_equal(p.n, 3);
    proofs_release(&p);
    p = host("staging");
    assert_int_equal(p.n, 1);
    assert_string_equal(p.items[0].environment, "staging");
    proofs_release(&p);
    assert_int_equal(proofs_read_host(&p, "nowhere", NULL, &err), 0);
    assert_int_equal(proofs_read_host(&p, NULL, NULL, &err), 0);
    assert_int_equal(p.n, 0);
}

static void latest_verdict(void **state)
{
    const char *path = "s3://b/production/weekly/backup-20251027-020000.dump";
    struct proofs p;

    (void)state;
    put("production", "drill-20251101-040000-passed-backup-20251027-020000.html");
    put("production", "drill-20251105-040000-unfinished-backup-20251027-020000.html");
    put("production", "drill-20251020-040000-passed-backup-20251019-020000.html");
    put("production", "drill-20251106-040000-passed-renamed.html");
    p = host(NULL);
    assert_int_equal(proofs_of(&p, "production", path)->drilled, at("20251101-040000"));
    assert_null(proofs_of(&p, "staging", path));
    assert_null(proofs_of(&p, "production", "s3://b/production/daily/backup-20251028-020000.dump"));
    assert_null(proofs_of(&p, "production", ""));
    assert_int_equal(proofs_newest(&p, "production")->taken, at("20251027-020000"));
    assert_null(proofs_newest(&p, "staging"));
    proofs_release(&p);

    put("production", "drill-20251107-040000-failed-backup-20251027-020000.html");
    p = host(NULL);
    assert_int_equal(proofs_of(&p, "production", path)->verdict, PROOFS_FAILED);
    assert_int_equal(proofs_newest(&p, "production")->taken, at("20251019-020000"));
    proofs_release(&p);
}

static void old_ones_go(void **state)
{
    struct catalog_item there = { .path = (char *)"/cache/backup-20251001-020000.dump",
                                  .has_manifest = true,
                                  .manifest = { .environment = (char *)"production" } };
    struct catalog catalog = { &there, 1 };
    struct proofs p;
    struct err err = { 0 };

    (void)state;
    put("production", "drill-20251001-040000-passed-backup-20251001-020000.html");
    put("production", "drill-20251001-040000-passed-backup-20251001-020000.txt");
    put("production", "drill-20251002-040000-passed-backup-20251002-020000.html");
    put("production", "drill-20251002-040000-passed-backup-20251002-020000.json");
    put("production", "drill-20251003-040000-passed-backup-20251003-020000.html");
    put("production", "drill-20251004-040000-passed-backup-20251004-020000.html");
    put("staging", "drill-20250101-040000-passed-backup-20250101-020000.html");
    p = host(NULL);
    assert_int_equal(proofs_plan(&p, NULL, 2), 2);
    assert_int_equal(proofs_plan(&p, NULL, 60), 0);
    assert_int_equal(proofs_plan(&p, &catalog, 2), 1); /* what proves a backup that is there stays */
    assert_int_equal(proofs_remove_host(&p, "state", &err), 0);
    assert_int_equal(proofs_remove_host(&p, "state", &err), 0); /* gone already */
    proofs_release(&p);
    p = host(NULL);
    assert_int_equal(p.n, 4);
    assert_null(proofs_of(&p, "production", "backup-20251002-020000.dump"));
    assert_non_null(proofs_of(&p, "production", "backup-20251001-020000.dump"));
    proofs_release(&p);
    assert_int_equal(access("state/reports/production/drill-20251002-040000-passed-backup-20251002-020000.json", F_OK),
                     -1);
}

/* ---- a store's -------------------------------------------------------------------------------------------------- */

static void in_a_store(void **state)
{
    struct store_params params = { .rights = STORE_READ | STORE_WRITE | STORE_DELETE };
    struct store *store;
    struct proofs p = { 0 };
    struct err err = { 0 };
    char url[1024], here[900];

    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    snprintf(url, sizeof url, "file://%s", here);
    store = store_open(url, &params, &err);
    assert_non_null(store);
    assert_int_equal(proofs_read_store(&p, store, NULL, &err), 0);
    assert_int_equal(p.n, 0);
    assert_int_equal(store_put(store, "production/reports/drill-20251101-040000-passed-backup-20251031-020000.html",
                               "x", 1, "text/html", NULL, &err),
                     0);
    assert_int_equal(store_put(store, "production/daily/drill-20251101-040000-passed-backup-20251031-020000.html", "x",
                               1, "text/html", NULL, &err),
                     0);
    put("production", "drill-20251101-040000-passed-backup-20251031-020000.txt"); /* the same, on this host */
    assert_int_equal(proofs_read_host(&p, "state", "production", &err), 0);
    assert_int_equal(proofs_read_store(&p, store, "production", &err), 0);
    assert_int_equal(p.n, 1);
    assert_int_equal(proofs_plan(&p, NULL, 0), 1);
    assert_int_equal(proofs_remove_store(&p, store, &err), 0);
    proofs_release(&p);
    assert_int_equal(proofs_read_store(&p, store, NULL, &err), 0);
    assert_int_equal(p.n, 0);
    assert_int_equal(access("production/daily/drill-20251101-040000-passed-backup-20251031-020000.html", F_OK), 0);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("every copy of a backup has the same name in reports, and it fits any file system", backup_names),
        PROMISE("a report's name tells when, how and which, whatever the backup is called", round_trips),
        PROMISE("what is no report's name is none", no_reports),
        PROMISE_IN_DIR("a drill counts once, whatever files it left and wherever they are", once_each),
        PROMISE_IN_DIR("the newest verdict counts, and a drill that could not be done is none", latest_verdict),
        PROMISE_IN_DIR("old reports go, but for what proves a backup that is still there", old_ones_go),
        PROMISE_IN_DIR("a store's reports are found and removed by one listing of their prefix", in_a_store),
    };

    return RUN_PROMISES(tests);
}
