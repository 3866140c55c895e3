/* SPDX-License-Identifier: PostgreSQL */
/* test_audit_chain.c - the chained audit log: appended to by several, rotated, cut short by crashes. */
#include "test/unit/audit_log.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void heads(void **state)
{
    struct audit_head h;

    (void)state;
    assert_true(audit_head_parse("9f86d081884c7d65:17:" NO_HASH "   \n", &h));
    assert_int_equal(h.seq, 17);
    assert_false(audit_head_parse("", &h));
    assert_false(audit_head_parse("9f86d081884c7d65:0:" NO_HASH, &h));
    assert_false(audit_head_parse("9f86d081884c7d65:1:" NO_HASH "0", &h));
    assert_false(audit_head_parse("9F86d081884c7d65:1:" NO_HASH, &h));
    assert_false(audit_head_parse("9f86d081884c7d65:1", &h));
    assert_false(audit_head_parse("9f86d081884c7d65:99999999999999999999:" NO_HASH, &h));
}

/* ---- an intact log ---------------------------------------------------------------------------------------------- */

static void entry_form(void **state)
{
    struct audit_head head = append("a \"quoted\" event");
    struct audit_entry e;
    char *text = content(LOG), hash[AUDIT_HASH + 1], expected[1024];
    char *from = strstr(text, ",\"hash\":");

    (void)state;
    snprintf(expected, sizeof expected,
             "{\"chain\":\"%s\",\"seq\":1,\"time\":\"2025-10-23T02:00:15Z\",\"kind\":\"backup\",\"level\":\"INFO\","
             "\"event\":\"a \\\"quoted\\\" event\",\"host\":\"%s\",\"user\":\"%s\",\"pid\":%d,\"previous\":\"" NO_HASH
             "\",\"hash\":\"%s\"}\n",
             head.chain, os_hostname(), os_user(), (int)getpid(), head.hash);
    assert_string_equal(text, expected);
    audit_hash(hash, text, (size_t)(from - text));
    assert_string_equal(hash, head.hash);
    assert_true(audit_entry_parse(text, strlen(text) - 1, &e));
    assert_true(e.sound);
    free(text);
}

static void known_hash(void **state)
{
    char hash[AUDIT_HASH + 1];

    (void)state;
    audit_hash(hash, "abc", 3); /* FIPS 180-2 */
    assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void chained(void **state)
{
    struct audit_head first = append("one"), second = append("two");
    struct audit_entry e;
    char *text = content(LOG), *line = line_of(text, 2);

    (void)state;
    assert_true(audit_entry_parse(line, strlen(line), &e));
    assert_string_equal(e.previous, first.hash);
    assert_string_equal(e.self.hash, second.hash);
    assert_string_equal(first.chain, second.chain);
    assert_int_equal(second.seq, 2);
    assert_good();
    assert_int_equal(result.entries, 2);
    assert_int_equal(result.n, 0);
    free(line);
    free(text);
}

static void many_writers(void **state)
{
    enum { WRITERS = 6, EACH = 20 };

    (void)state;
    for (int i = 0; i < WRITERS; i++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            append_many(EACH);
            _exit(0);
        }
    }
    for (int i = 0, status; i < WRITERS; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_good();
    assert_int_equal(result.entries, WRITERS * EACH);
    assert_int_equal(result.last, WRITERS * EACH);
}

static void rotation(void **state)
{
    const char *const both[] = { LOG, LOG ".1" }; /* the wrong order is no harm */

    (void)state;
    append_many(3);
    assert_int_equal(rename(LOG, LOG ".1"), 0);
    append_many(2);
    if (check_files(both, 2, NULL) < 0)
        fail_msg("%s", result.findings[0].text);
    assert_int_equal(result.entries, 5);
    assert_good(); /* alone: a log that begins later, and says so */
    assert_int_equal(result.n, 1);
    assert_string_equal(result.findings[0].text,
                        "the log begins with entry 4: entries 1 to 3 are in files that are not here");
}

static void rotated_entry_missing(void **state)
{
    const char *const both[] = { LOG ".1", LOG };

    (void)state;
    append_many(3);
    keep_lines("12");
    assert_int_equal(rename(LOG, LOG ".1"), 0);
    append_many(1);
    assert_int_equal(check_files(both, 2, NULL), -1);
    assert_found(LOG ", line 1: entry 3 is missing before it", NULL);
}

static void rotated_files_found(void **state)
{
    struct err err = { 0 };
    size_t n;
    char **paths;

    (void)state;
    put("a-audit.jsonl", "");
    put("a-audit.jsonl.1", "");
    put("a-audit.jsonl-20251023", "");
    put("a-audit.jsonlx", "");
    put("aa-audit.jsonl", "");
    paths = audit_check_find_files(".", "a", &n, &err);
    assert_int_equal(n, 3);
    audit_check_free_files(paths);
    paths = audit_check_find_files(".", "b", &n, &err);
    assert_int_equal(n, 0);
    audit_check_free_files(paths);
}

/* ---- crashes ---------------------------------------------------------------------------------------------------- */

/* The file as it is after a crash that came `keep` bytes into what was appended to `before`. */
static void cut_to(const char *before, const char *after, size_t keep)
{
    int fd;

    put(LOG, after);
    fd = open(LOG, O_WRONLY);
    assert_int_equal(ftruncate(fd, (off_t)(strlen(before) + keep)), 0);
    close(fd);
}

static void crash_anywhere(void **state)
{
    char *before, *head, *after;
    size_t length;

    (void)state;
    append_many(2);
    before = content(LOG);
    head = content(HEAD);
    append("cut");
    after = content(LOG);
    length = strlen(after) - strlen(before);
    for (size_t keep = 0; keep <= length; keep++) {
        cut_to(before, after, keep);
        put(HEAD, head);
        assert_good(); /* nobody has come to tell of it yet */
        append("next");
        assert_good();
        assert_int_equal(result.last, keep == 0 ? 3 : 4);
        assert_int_equal(result.n, keep > 0 && keep < length - 1); /* a line that lacks its newline is whole */
    }
    free(before);
    free(head);
    free(after);
}

static void crash_is_told(void **state)
{
    char *text, *note;

    (void)state;
    append_many(2);
    add(LOG, "{\"chain\":\"half a li");
    append("next");
    text = content(LOG);
    note = line_of(text, 4);
    assert_non_null(strstr(note,
                           "\"kind\":\"audit\",\"level\":\"WARNING\",\"event\":\"Audit log was cut short: its last "
                           "19 bytes are no entry\""));
    assert_good();
    assert_string_equal(result.findings[0].text, LOG ", line 3: incomplete, as entry 3 tells");
    replace(LOG, "half a li", "half a lie"); /* what was told of is not to be bent either */
    assert_int_equal(check(), -1);
    free(note);
    free(text);
}

static void full_disk(void **state)
{
    struct audit_record r = { .time = 0, .kind = "backup", .level = "INFO", .event = "x" };
    struct audit_chain chain;
    struct audit_head head;
    struct err err = { 0 };
    char *before, *after;
    pid_t pid;
    int status;

    (void)state;
    append_many(2);
    before = content(LOG);
    pid = fork();
    if (pid == 0) { /* the disk has room for ten bytes more */
        struct rlimit limit = { .rlim_cur = strlen(before) + 10, .rlim_max = strlen(before) + 10 };

        setrlimit(RLIMIT_FSIZE, &limit);
        audit_chain_open(&chain, ".", "a", &err);
        _exit(audit_chain_append(&chain, &r, &head, &err) < 0 && err.class == ERR_SPACE ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    after = content(LOG);
    assert_string_equal(after, before);
    append("room again");
    assert_good();
    assert_int_equal(result.last, 3);
    free(before);
    free(after);
}

static void head_lost(void **state)
{
    (void)state;
    append_many(2);
    assert_int_equal(unlink(HEAD), 0);
    append("three");
    put(HEAD, "9f86d081884c7d6"); /* torn */
    append("four");
    assert_good();
    assert_int_equal(result.last, 4);
    assert_int_equal(result.n, 0);
}

static void garbage(void **state)
{
    struct audit_chain chain;
    struct audit_record r = { .time = 0, .kind = "backup", .level = "INFO", .event = "x" };
    struct audit_head head;
    struct err err = { 0 };
    FILE *f = fopen(LOG, "w");

    (void)state;
    for (int i = 0; i < 3 * 1024 * 1024; i++)
        fputc('z', f);
    fclose(f);
    assert_int_equal(audit_chain_open(&chain, ".", "a", &err), 0);
    assert_int_equal(audit_chain_append(&chain, &r, &head, &err), -1); /* nothing is written behind it */
    assert_int_equal(err.class, ERR_DAMAGED);
    audit_chain_close(&chain);
    assert_int_equal(check(), 0); /* one line, still open */
    assert_int_equal(result.entries, 0);
}

#define PROMISE_AT(sentence, function)                            \
    {                                                             \
        sentence, function, unit_enter_dir, leave_audit_log, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("a hash is SHA-256", known_hash),
        PROMISE("a head that is none is refused", heads),
        PROMISE_AT("an entry has this form, and its hash is of all before it", entry_form),
        PROMISE_AT("each entry holds the hash of the one before", chained),
        PROMISE_AT("several processes make one chain", many_writers),
        PROMISE_AT("the chain goes on after a rotation", rotation),
        PROMISE_AT("an entry that is missing between two files is found", rotated_entry_missing),
        PROMISE_AT("rotated files are found by their names", rotated_files_found),
        PROMISE_AT("a crash after any byte of a line leaves a chain that goes on", crash_anywhere),
        PROMISE_AT("the run after a crash tells of it", crash_is_told),
        PROMISE_AT("a full disk leaves the log as it was", full_disk),
        PROMISE_AT("a head that is lost or torn is found again from the log", head_lost),
        PROMISE_AT("a file that is no audit log is not written to", garbage),
    };

    return RUN_PROMISES(tests);
}
