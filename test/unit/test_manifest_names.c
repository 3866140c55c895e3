/* SPDX-License-Identifier: PostgreSQL */
/* test_manifest_names.c - what backups and their companions are called. */
#include "test/unit/unit.h"

#include "core/backup/manifest.h"

#define NOW 1761229935 /* 2025-10-23 14:32:15 */

/* ---- names --------------------------------------------------------------------------------------------------- */

static void names_read(void **state)
{
    static const struct {
        const char *path;
        bool is;
        enum backup_format format;
    } cases[] = {
        { "backup-20251023-143215.dump", true, FORMAT_CUSTOM },
        { "signupflow-backup-20251023-143215.dump", true, FORMAT_CUSTOM },
        { "/var/b-20250101-000000.d/pre-restore-20251023-143215.dump", true, FORMAT_CUSTOM },
        { "pre-migration-20251023-143215.sql", true, FORMAT_SQL },
        { "a-20251023-143215.sql.gz", true, FORMAT_SQL },
        { "a-20250101-000000-20251023-143215.dump", true, FORMAT_CUSTOM }, /* the last stamp counts */
        { "backup-20251023-143215.globals.sql", false, 0 },
        { "backup-20251023-143215.manifest.json", false, 0 },
        { "backup-20251023-143215.dump.gz", false, 0 },
        { "backup-20251023-143215", false, 0 },
        { "backup-20251023-143215x.dump", false, 0 },
        { "backup_20251023-143215.dump", false, 0 },
        { "20251023-143215.dump", false, 0 },
        { "-20251023-143215.dump", false, 0 },
        { ".backup-20251023-143215.dump", false, 0 },
        { ".backup-20251023-143215.dump.partial-7", false, 0 },
        { "backup-20251323-143215.dump", false, 0 }, /* no such month */
        { "backup-2025102-143215.dump", false, 0 },
        { ".dump", false, 0 },
        { "", false, 0 },
        { "backup-20251023-143215.dump/", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum backup_format format = FORMAT_CUSTOM;
        time_t t = 0;
        if (manifest_parse_name(cases[i].path, &t, &format) != cases[i].is)
            fail_msg("%s", cases[i].path);
        if (cases[i].is) {
            assert_true(t == NOW);
            assert_int_equal(format, cases[i].format);
        }
    }
}

static void own_names_read(void **state)
{
    static const char *const none[] = {
        "backup-20251023-143215.dump",
        "backup-20251023-143215.manifest.json.new",
        "backup-20251323-143215.manifest.json",
        "-20251023-143215.manifest.json",
        "20251023-143215.manifest.json",
        ".backup-20251023-143215.manifest.json",
        ".manifest.json",
        "manifest.json",
        "",
    };
    time_t t = 0;

    (void)state;
    assert_true(manifest_parse_own_name("production/weekly/backup-20251023-143215.manifest.json", &t));
    assert_true(t == NOW);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (manifest_parse_own_name(none[i], &t))
            fail_msg("%s", none[i]);
}

static void assert_takes(char *text, const char *expected)
{
    if (expected)
        assert_string_equal(text, expected);
    else
        assert_null(text);
    free(text);
}

static void names_made(void **state)
{
    (void)state;
    assert_takes(manifest_file_name(NULL, NOW, ".dump"), "backup-20251023-143215.dump");
    assert_takes(manifest_file_name("", NOW, ".sql.gz"), "backup-20251023-143215.sql.gz");
    assert_takes(manifest_file_name("pre-upgrade", NOW, ".sql"), "pre-upgrade-20251023-143215.sql");
    assert_takes(manifest_path_of("/a.b/x.dump"), "/a.b/x.manifest.json");
    assert_takes(manifest_path_of("x.sql.gz"), "x.manifest.json");
    assert_takes(manifest_globals_path_of("x.sql"), "x.globals.sql");
    assert_takes(manifest_path_of("x"), NULL);
    assert_takes(manifest_path_of("x.gz"), NULL);
    assert_takes(manifest_path_of("/a/.dump"), NULL);
    assert_takes(manifest_path_of("/a.dump/x"), NULL);
    assert_takes(manifest_path_of(""), NULL);
    assert_string_equal(manifest_extension_of(FORMAT_CUSTOM, METHOD_ZSTD), ".dump");
    assert_string_equal(manifest_extension_of(FORMAT_SQL, METHOD_GZIP), ".sql.gz");
    assert_string_equal(manifest_extension_of(FORMAT_SQL, METHOD_NONE), ".sql");
}

static void labels(void **state)
{
    static const char *const good[] = { "pre-migration", "v1.2_3", "7" };
    static const char *const bad[] = { "",         "a/b",    "..",          "-x",          ".x", "a b",
                                       "\xC3\xA4", "backup", "shop-backup", "pre-restore", "a\n" };
    struct err err = { 0 };
    char longest[66];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(manifest_check_label(good[i], &err), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(manifest_check_label(bad[i], &err), -1);
        assert_int_equal(err.class, ERR_USAGE);
        err_clear(&err);
    }
    memset(longest, 'a', sizeof longest);
    longest[65] = '\0';
    assert_int_equal(manifest_check_label(longest, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("a backup is known by its name, nothing else is", names_read),
        PROMISE("a manifest is known by its name, and tells when its backup began", own_names_read),
        PROMISE("names and their companions are made as the layout says", names_made),
        PROMISE("a label is a plain part of a file name, and none of our own series", labels),
    };
    return RUN_PROMISES(tests);
}
