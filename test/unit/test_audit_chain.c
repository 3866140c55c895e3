/* SPDX-License-Identifier: PostgreSQL */
/* test_audit_chain.c - the chained audit log: appended by several, cut by crashes, bent by somebody, and found out. */
#include "test/unit/unit.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/backup/audit_check.h"
#include "core/base/os.h"
#include "core/base/text.h"

#define LOG "a-audit.jsonl"
#define HEAD "a-audit.head"
#define NO_HASH "0000000000000000000000000000000000000000000000000000000000000000"

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static struct audit_head append(const char *event)
{
    struct audit_record r = { .time = 1761184815, .kind = "backup", .level = "INFO", .event = event };
    struct audit_chain chain;
    struct audit_head head = { .seq = 0 };
    struct err err = { 0 };

    assert_int_equal(audit_chain_open(&chain, ".", "a", &err), 0);
    if (audit_chain_append(&chain, &r, &head, &err) < 0)
        fail_msg("%s", err.message);
    audit_chain_close(&chain);
    return head;
}

static void append_many(unsigned n)
{
    char event[32];

    for (unsigned i = 1; i <= n; i++) {
        snprintf(event, sizeof event, "event %u", i);
        append(event);
    }
}

static char *content(const char *path)
{
    struct err err = { 0 };
    struct buf text;

    buf_init(&text, 16 * 1024 * 1024);
    if (os_read_file(path, &text, &err) < 0)
        fail_msg("%s", err.message);
    return buf_take(&text, &err);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* Line n, from 1, of a text; the caller frees. */
static char *line_of(const char *text, unsigned n)
{
    for (; n > 1; n--)
        text = strchr(text, '\n') + 1;
    return strndup(text, strcspn(text, "\n"));
}

/* The log again, with the given lines only, in the given order. */
static void keep_lines(const char *order)
{
    char *text = content(LOG);
    FILE *f = fopen(LOG, "w");

    for (; *order; order++) {
        char *line = line_of(text, (unsigned)(*order - '0'));

        fprintf(f, "%s\n", line);
        free(line);
    }
    fclose(f);
    free(text);
}

static void replace(const char *path, const char *old, const char *new)
{
    char *text = content(path), *at = strstr(text, old);
    FILE *f = fopen(path, "w");

    assert_non_null(at);
    fprintf(f, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    fclose(f);
    free(text);
}

static void add(const char *path, const char *text)
{
    FILE *f = fopen(path, "a");

    fputs(text, f);
    fclose(f);
}

/* ---- checking --------------------------------------------------------------------------------------------------- */

static struct audit_result result;

static int check_files(const char *const *paths, size_t n, const char *mark)
{
    struct err err = { 0 };
    struct audit_check *check = audit_check_open(paths, n, &err);
    int rc;

    if (check == NULL)
        fail_msg("%s", err.message);
    if (mark != NULL)
        assert_int_equal(audit_check_mark(check, "manifest x", mark, &err), 0);
    audit_result_release(&result);
    rc = audit_check_judge(check, &result, &err);
    assert_true((rc < 0) == (result.damages > 0));
    assert_true(rc == 0 || err.class == ERR_DAMAGED);
    audit_check_free(check);
    return rc;
}

static int check(void)
{
    const char *const path = LOG;

    return check_files(&path, 1, NULL);
}

static void assert_good(void)
{
    if (check() < 0)
        fail_msg("%s", result.findings[0].text);
}

/* Exactly these findings of damage, in this order; NULL ends. */
static void assert_found(const char *first, const char *second)
{
    const char *const expected[] = { first, second };
    size_t n = 0;

    for (size_t i = 0; i < result.n; i++) {
        if (!result.findings[i].damage)
            continue;
        if (n >= 2 || expected[n] == NULL)
            fail_msg("not expected: %s", result.findings[i].text);
        assert_string_equal(result.findings[i].text, expected[n]);
        n++;
    }
    assert_true(n == (second != NULL ? 2 : 1));
}

static int leave(void **state)
{
    audit_result_release(&result);
    return unit_leave_dir(state);
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

/* ---- bent logs -------------------------------------------------------------------------------------------------- */

static void changed(void **state)
{
    (void)state;
    append_many(5);
    replace(LOG, "event 3", "event 8");
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 3: entry 3 was changed: its content is not what its hash stands for", NULL);
}

static void changed_last(void **state)
{
    (void)state;
    append_many(5);
    replace(LOG, "event 5", "event 8");
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 5: entry 5 was changed: its content is not what its hash stands for", NULL);
}

static void every_byte(void **state)
{
    char *text;
    size_t n;

    (void)state;
    append_many(3);
    text = content(LOG);
    n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        char was = text[i];

        text[i] = was == 'x' ? 'y' : 'x';
        put(LOG, text);
        if (check() == 0)
            fail_msg("byte %zu changed, and nothing was found", i);
        text[i] = was;
    }
    put(LOG, text);
    assert_good();
    free(text);
}

static void every_removed_byte(void **state)
{
    char *text;
    size_t n;

    (void)state;
    append_many(3);
    text = content(LOG);
    n = strlen(text);
    for (size_t i = 0; i + 1 < n; i++) { /* without its last newline the log says all that it said */
        FILE *f = fopen(LOG, "w");

        fprintf(f, "%.*s%s", (int)i, text, text + i + 1);
        fclose(f);
        if (check() == 0)
            fail_msg("byte %zu removed, and nothing was found", i);
    }
    free(text);
}

/* Somebody who knows how, and makes the entry's own hash right again. */
static void forged(void **state)
{
    char *text, *line, hash[AUDIT_HASH + 1], forged_line[2048];

    (void)state;
    append_many(4);
    replace(LOG, "event 2", "event 8");
    text = content(LOG);
    line = line_of(text, 2);
    *strstr(line, ",\"hash\":") = '\0';
    audit_hash(hash, line, strlen(line));
    snprintf(forged_line, sizeof forged_line, "%s,\"hash\":\"%s\"}", line, hash);
    free(line);
    line = line_of(text, 2);
    replace(LOG, line, forged_line);
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 2: entry 2 was replaced: the one after it was chained to another", NULL);
    free(line);
    free(text);
}

static void missing(void **state)
{
    (void)state;
    append_many(6);
    keep_lines("1256");
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 3: entries 3 to 4 are missing before it", NULL);
}

static void moved(void **state)
{
    (void)state;
    append_many(6);
    keep_lines("124356");
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 4: entry 3 stands behind entry 4", NULL);
}

static void repeated(void **state)
{
    (void)state;
    append_many(3);
    keep_lines("1223");
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 3: entry 2 stands behind entry 2", NULL);
}

static void added(void **state)
{
    (void)state;
    append_many(2);
    add(LOG, "what is this\n");
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 3: no entry of an audit log, or one that was changed", NULL);
}

static void cut_end(void **state)
{
    (void)state;
    append_many(5);
    keep_lines("123");
    assert_int_equal(check(), -1);
    assert_found(LOG ": the end is missing: the head beside it names entry 5, and it ends with 3", NULL);
    append("next"); /* tells of it, and the gap stays */
    assert_int_equal(check(), -1);
    assert_found(LOG ", line 4: entries 4 to 5 are missing before it", NULL);
    {
        char *text = content(LOG);

        assert_non_null(strstr(text,
                               "\"level\":\"ERROR\",\"event\":\"Audit log does not end with entry 5, as it must, but "
                               "with 3\""));
        free(text);
    }
}

static void emptied(void **state)
{
    (void)state;
    append_many(5);
    put(LOG, "");
    assert_int_equal(check(), -1);
    assert_found(LOG ": its end is missing: entry 5 was written, and there is none", NULL);
}

static void begun_anew(void **state)
{
    const char *const path = LOG;
    char was[AUDIT_HEAD_TEXT], expected[256];
    struct audit_head head;

    (void)state;
    append_many(2);
    head = append("the deed");
    audit_head_text(was, &head);
    unlink(LOG);
    unlink(HEAD);
    append_many(3);
    assert_int_equal(check_files(&path, 1, was), 0); /* no damage to this log, but a manifest knows another */
    snprintf(expected, sizeof expected, "manifest x names entry 3 of another log, %s", head.chain);
    assert_string_equal(result.findings[0].text, expected);
}

static void both_cut(void **state)
{
    const char *const path = LOG;
    char was[AUDIT_HEAD_TEXT];
    struct audit_head head;

    (void)state;
    append_many(2);
    head = append("the deed");
    audit_head_text(was, &head);
    keep_lines("12");
    unlink(HEAD);
    assert_good(); /* the file alone can't tell */
    assert_int_equal(check_files(&path, 1, was), -1);
    assert_found(LOG ": the end is missing: manifest x names entry 3, and it ends with 2", NULL);
    append("another deed"); /* takes the number */
    assert_good();
    assert_int_equal(check_files(&path, 1, was), -1);
    assert_found(LOG ", line 3: entry 3 is not the one that manifest x names", NULL);
}

static void mark_agrees(void **state)
{
    const char *const path = LOG;
    char text[AUDIT_HEAD_TEXT];
    struct audit_head head;

    (void)state;
    append_many(2);
    head = append("three");
    append("four");
    audit_head_text(text, &head);
    assert_int_equal(check_files(&path, 1, text), 0);
    assert_int_equal(result.marks, 1);
    assert_int_equal(result.n, 0);
}

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

#define PROMISE_AT(sentence, function)                  \
    {                                                   \
        sentence, function, unit_enter_dir, leave, NULL \
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
        PROMISE_AT("a changed line is found and named", changed),
        PROMISE_AT("a change of the last line is found too", changed_last),
        PROMISE_AT("a change of any byte is found", every_byte),
        PROMISE_AT("the removal of any byte is found", every_removed_byte),
        PROMISE_AT("a forged entry with a right hash of its own is found", forged),
        PROMISE_AT("missing lines are found and numbered", missing),
        PROMISE_AT("a moved line is found and named, and nothing is called missing", moved),
        PROMISE_AT("a repeated line is found", repeated),
        PROMISE_AT("a line that sfb did not write is found", added),
        PROMISE_AT("a cut-off end is found by the head, told by the next run, and stays", cut_end),
        PROMISE_AT("an emptied log is found", emptied),
        PROMISE_AT("a log that was begun anew is told by what manifests name", begun_anew),
        PROMISE_AT("an end that was cut off with its head is found by a manifest, not without one", both_cut),
        PROMISE_AT("a manifest that names an entry agrees with it", mark_agrees),
        PROMISE_AT("a file that is no audit log is not written to", garbage),
    };

    return RUN_PROMISES(tests);
}
