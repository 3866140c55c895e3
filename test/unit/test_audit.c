/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/backup/audit.h"
#include "core/base/os.h"

static struct audit audit;

static void open_here(const char *which)
{
    struct err err = { 0 };
    struct settings *s = settings_load("/dev/null", &err);
    struct places p = { .logs = (char *)"." };

    assert_non_null(s);
    audit_open(&audit, s, &p, which);
    settings_free(s);
}

static void assert_file(const char *path, const char *expected)
{
    struct err err = { 0 };
    struct buf text;

    buf_init(&text, 1024 * 1024);
    assert_int_equal(os_read_file(path, &text, &err), 0);
    assert_string_equal(text.data, expected);
    buf_release(&text);
}

static int enter(void **state)
{
    unsetenv("SFB_APP");
    setenv("SFB_TEST_NOW", "1761184815", 1); /* 2025-10-23 02:00:15 */
    return unit_enter_dir(state);
}

static void line_format(void **state)
{
    (void)state;
    open_here("backup");
    audit_event(&audit, AUDIT_INFO, "Backup started (user: %s, pid: %d)", "ubuntu", 12345);
    audit_event(&audit, AUDIT_ERROR, "Backup failed (%s)", "no connection");
    audit_close(&audit);
    open_here("restore");
    audit_event(&audit, AUDIT_WARNING, "Restore initiated");
    audit_close(&audit);
    assert_file("signupflow-backup-audit.log", "[2025-10-23 02:00:15] INFO Backup started (user: ubuntu, pid: 12345)\n"
                                               "[2025-10-23 02:00:15] ERROR Backup failed (no connection)\n");
    assert_file("signupflow-restore-audit.log", "[2025-10-23 02:00:15] WARNING Restore initiated\n");
}

static void no_forged_lines(void **state)
{
    (void)state;
    open_here("backup");
    audit_event(&audit, AUDIT_INFO, "Backup started (user: %s)",
                "eve\n[2025-10-23 02:00:16] INFO Backup completed\x1b[2J");
    audit_close(&audit);
    assert_file("signupflow-backup-audit.log",
                "[2025-10-23 02:00:15] INFO Backup started (user: eve\\n[2025-10-23 02:00:16] INFO Backup "
                "completed\\x1B[2J)\n");
}

static void mode(void **state)
{
    mode_t before = umask(077);
    struct stat st;

    (void)state;
    open_here("backup");
    audit_event(&audit, AUDIT_INFO, "x");
    audit_close(&audit);
    umask(before);
    assert_int_equal(stat("signupflow-backup-audit.log", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void symlink_refused(void **state)
{
    FILE *f = fopen("victim", "w");

    (void)state;
    fclose(f);
    assert_int_equal(symlink("victim", "signupflow-backup-audit.log"), 0);
    open_here("backup");
    audit_event(&audit, AUDIT_INFO, "x");
    assert_null(audit.path); /* warned about, once, and given up */
    audit_event(&audit, AUDIT_INFO, "y");
    audit_close(&audit);
    assert_file("victim", "");
}

static void no_logs(void **state)
{
    struct err err = { 0 };
    struct settings *s = settings_load("/dev/null", &err);
    struct places p = { .logs = NULL };

    (void)state;
    audit_open(&audit, s, &p, "backup");
    audit_event(&audit, AUDIT_INFO, "x");
    audit_close(&audit);
    settings_free(s);
    assert_int_equal(unit_count_files(), 0);
}

#define PROMISE_AT(sentence, function)                  \
    {                                                   \
        sentence, function, enter, unit_leave_dir, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_AT("a line is as the contract shows it", line_format),
        PROMISE_AT("what comes from outside can't begin a line of its own", no_forged_lines),
        PROMISE_AT("the log is 0640 whatever the umask", mode),
        PROMISE_AT("a symbolic link in the log's place is not followed", symlink_refused),
        PROMISE_AT("without a directory nothing is written, and nothing fails", no_logs),
    };

    return RUN_PROMISES(tests);
}
