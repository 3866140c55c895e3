/* SPDX-License-Identifier: PostgreSQL */
/* test_audit.c - the contract's audit logs: their lines, their files, and what goes to syslog. */
#include "test/unit/unit.h"
#include "test/unit/settings.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/backup/audit.h"
#include "core/backup/audit_syslog.h"
#include "core/base/os.h"

static struct audit audit;

static void open_here(enum audit_kind kind)
{
    struct err err = { 0 };
    struct settings *s = unit_settings("/dev/null", &err);
    struct places p = { .logs = (char *)"." };

    assert_non_null(s);
    audit_open(&audit, s, &p, kind);
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
    unsetenv("SFB_SYSLOG");
    setenv("SFB_TEST_NOW", "1761184815", 1); /* 2025-10-23 02:00:15 */
    return unit_enter_dir(state);
}

static int leave(void **state)
{
    audit_close(&audit); /* a test that failed may have left it open */
    return unit_leave_dir(state);
}

static void line_format(void **state)
{
    (void)state;
    open_here(AUDIT_BACKUP);
    audit_event(&audit, AUDIT_INFO, "Backup started (user: %s, pid: %d)", "ubuntu", 12345);
    audit_event(&audit, AUDIT_ERROR, "Backup failed (%s)", "no connection");
    audit_close(&audit);
    open_here(AUDIT_RESTORE);
    audit_event(&audit, AUDIT_WARNING, "Restore initiated");
    audit_close(&audit);
    assert_file("signupflow-backup-audit.log", "[2025-10-23 02:00:15] INFO Backup started (user: ubuntu, pid: 12345)\n"
                                               "[2025-10-23 02:00:15] ERROR Backup failed (no connection)\n");
    assert_file("signupflow-restore-audit.log", "[2025-10-23 02:00:15] WARNING Restore initiated\n");
}

static void two_files(void **state)
{
    (void)state;
    open_here(AUDIT_PRUNE);
    audit_event(&audit, AUDIT_INFO, "Prune completed (deleted: 3)");
    audit_close(&audit);
    open_here(AUDIT_DRILL);
    audit_event(&audit, AUDIT_INFO, "Drill completed");
    audit_close(&audit);
    assert_file("signupflow-backup-audit.log", "[2025-10-23 02:00:15] INFO Prune completed (deleted: 3)\n");
    assert_file("signupflow-restore-audit.log", "[2025-10-23 02:00:15] INFO Drill completed\n");
}

static void no_forged_lines(void **state)
{
    (void)state;
    open_here(AUDIT_BACKUP);
    audit_event(&audit, AUDIT_INFO, "Backup started (user: %s)",
                "eve\n[2025-10-23 02:00:16] INFO Backup completed\x1b[2J");
    audit_close(&audit);
    assert_file("signupflow-backup-audit.log",
                "[2025-10-23 02:00:15] INFO Backup started (user: eve\\n[2025-10-23 02:00:16] INFO Backup "
                "completed\\x1B[2J)\n");
}

static void mode(void **state)
{
    static const char *const files[] = { "signupflow-backup-audit.log", "signupflow-audit.jsonl",
                                         "signupflow-audit.head" };
    mode_t before = umask(077);
    struct stat st;

    (void)state;
    open_here(AUDIT_BACKUP);
    audit_event(&audit, AUDIT_INFO, "x");
    audit_close(&audit);
    umask(before);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stat(files[i], &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
    }
}

static void symlink_refused(void **state)
{
    FILE *f = fopen("victim", "w");

    (void)state;
    fclose(f);
    assert_int_equal(symlink("victim", "signupflow-backup-audit.log"), 0);
    assert_int_equal(symlink("victim", "signupflow-audit.jsonl"), 0);
    open_here(AUDIT_BACKUP);
    audit_event(&audit, AUDIT_INFO, "x");
    assert_null(audit.path); /* warned about, once, and given up */
    assert_null(audit.chain.path);
    audit_event(&audit, AUDIT_INFO, "y");
    audit_close(&audit);
    assert_file("victim", "");
}

static void no_logs(void **state)
{
    struct err err = { 0 };
    struct settings *s = unit_settings("/dev/null", &err);
    struct places p = { .logs = NULL };

    (void)state;
    audit_open(&audit, s, &p, AUDIT_BACKUP);
    audit_event(&audit, AUDIT_INFO, "x");
    audit_close(&audit);
    settings_free(s);
    assert_int_equal(unit_count_files(), 0);
}

/* ---- syslog ----------------------------------------------------------------------------------------------------- */

static const struct audit_head some_head = {
    .chain = "0123456789abcdef", .seq = 17, .hash = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
};

static void assert_frame(const struct audit_record *r, int level, const struct audit_head *head, const char *expected)
{
    struct buf frame;

    buf_init(&frame, 8192);
    audit_syslog_frame(&frame, "signupflow", level, 4711, r, head);
    assert_false(frame.failed);
    assert_string_equal(frame.data, expected);
    buf_release(&frame);
}

static void frames(void **state)
{
    struct audit_record r = { .time = 1761184815, .kind = "backup", .level = "INFO", .event = "Backup started" };

    (void)state;
    assert_frame(&r, AUDIT_INFO, &some_head,
                 "<30>Oct 23 02:00:15 sfb[4711]: signupflow backup INFO Backup started "
                 "[0123456789abcdef:17:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff]");
    r.time = 1762308005; /* days below ten have a blank before them */
    r.level = "ERROR";
    assert_frame(&r, AUDIT_ERROR, &(struct audit_head){ .seq = 0 },
                 "<27>Nov  5 02:00:05 sfb[4711]: signupflow backup ERROR Backup started");
}

static void long_frame(void **state)
{
    static char event[12000];
    struct audit_record r = { .time = 0, .kind = "backup", .level = "INFO", .event = event };
    struct buf frame;

    (void)state;
    for (size_t i = 0; i + 1 < sizeof event; i++)
        event[i] = "\xC3\xA4"[i % 2]; /* a letter of two bytes */
    event[sizeof event - 2] = '\0';
    buf_init(&frame, 8192);
    audit_syslog_frame(&frame, "signupflow", AUDIT_INFO, 1, &r, &some_head);
    assert_false(frame.failed);
    assert_true(frame.size < 4500);
    assert_non_null(strstr(frame.data, "\xA4... [0123456789abcdef:17:ffff"));
    buf_release(&frame);
}

/* A logger's socket of the test's own. */
static int listen_here(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "log" };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void sent(void **state)
{
    struct err err = { 0 };
    struct audit_record r = { .time = 1761184815, .kind = "prune", .level = "INFO", .event = "x" };
    char got[512] = "", expected[512];
    int fd = listen_here();

    (void)state;
    assert_int_equal(audit_syslog_send("log", "signupflow", AUDIT_INFO, &r, &(struct audit_head){ 0 }, &err), 0);
    assert_true(recv(fd, got, sizeof got - 1, 0) > 0);
    snprintf(expected, sizeof expected, "<30>Oct 23 02:00:15 sfb[%d]: signupflow prune INFO x", (int)getpid());
    assert_string_equal(got, expected);
    close(fd);
}

static void never_waits(void **state)
{
    struct err err = { 0 };
    struct audit_record r = { .time = 0, .kind = "backup", .level = "INFO", .event = "x" };
    int fd = listen_here(), n = 0;

    (void)state;
    alarm(60); /* a send that waits is ended by it */
    while (n < 100000 && audit_syslog_send("log", "a", AUDIT_INFO, &r, &some_head, &err) == 0)
        n++;
    alarm(0);
    assert_true(n > 0 && n < 100000);
    assert_non_null(strstr(err.message, strerror(EAGAIN)));
    close(fd);
}

static void names_the_entry(void **state)
{
    char got[1024] = "", name[AUDIT_HEAD_TEXT + 2], path[512];
    int fd = listen_here();

    (void)state;
    assert_non_null(getcwd(path, sizeof path - 8));
    strncat(path, "/log", sizeof path - strlen(path) - 1);
    setenv("SFB_SYSLOG", path, 1);
    open_here(AUDIT_BACKUP);
    audit_event(&audit, AUDIT_INFO, "Backup started");
    name[0] = '[';
    audit_head_text(name + 1, &audit.head);
    assert_int_equal(audit.head.seq, 1);
    audit_close(&audit);
    unsetenv("SFB_SYSLOG");
    assert_true(recv(fd, got, sizeof got - 1, 0) > 0);
    assert_non_null(strstr(got, name));
    close(fd);
}

static void no_logger(void **state)
{
    (void)state;
    setenv("SFB_SYSLOG", "/nonexistent/log", 1);
    open_here(AUDIT_BACKUP);
    assert_false(audit.syslog_failed);
    audit_event(&audit, AUDIT_INFO, "x");
    assert_true(audit.syslog_failed);
    audit_event(&audit, AUDIT_INFO, "y");
    audit_close(&audit);
    unsetenv("SFB_SYSLOG");
    assert_file("signupflow-backup-audit.log", "[2025-10-23 02:00:15] INFO x\n[2025-10-23 02:00:15] INFO y\n");
}

#define PROMISE_AT(sentence, function)         \
    {                                          \
        sentence, function, enter, leave, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_AT("a line is as the contract shows it", line_format),
        PROMISE_AT("prune writes into the backup's log, a drill into the restore's", two_files),
        PROMISE_AT("what comes from outside can't begin a line of its own", no_forged_lines),
        PROMISE_AT("the logs are 0640 whatever the umask", mode),
        PROMISE_AT("a symbolic link in a log's place is not followed", symlink_refused),
        PROMISE_AT("without a directory nothing is written, and nothing fails", no_logs),
        PROMISE_AT("a syslog message is what loggers parse", frames),
        PROMISE_AT("a long event is cut between letters, and the entry's name stays", long_frame),
        PROMISE_AT("a message arrives whole", sent),
        PROMISE_AT("a logger that does not read is not waited for", never_waits),
        PROMISE_AT("a message names the entry of the chain", names_the_entry),
        PROMISE_AT("without a logger the logs are kept all the same", no_logger),
    };

    return RUN_PROMISES(tests);
}
