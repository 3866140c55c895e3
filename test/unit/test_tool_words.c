/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <signal.h>

#include "core/pg/tool_words.h"

#define EXITED(code) ((code) << 8)

static struct err words(const char *program, const char *text, int status)
{
    struct err err = { 0 };
    char *copy = strdup(text);

    tool_words(program, copy, status, ERR_DUMP, &err);
    free(copy);
    return err;
}

static void one_line_with_its_detail(void **state)
{
    struct err err = words("pg_dump",
                           "pg_dump: last built-in OID is 16383\n"
                           "pg_dump: error: query failed: ERROR:  permission denied for table secret\n"
                           "pg_dump: detail: Query was: LOCK TABLE public.secret IN ACCESS SHARE MODE\n",
                           EXITED(1));

    (void)state;
    assert_string_equal(err.message, "pg_dump failed: permission denied for table secret "
                                     "(Query was: LOCK TABLE public.secret IN ACCESS SHARE MODE)");
    assert_non_null(strstr(err.hint, "pg_read_all_data"));
    assert_int_equal(err.class, ERR_DUMP);
}

static void first_error_is_the_cause(void **state)
{
    struct err err = words("pg_restore",
                           "pg_restore: while PROCESSING TOC:\n"
                           "pg_restore: from TOC entry 216; 1259 16386 TABLE t postgres\n"
                           "pg_restore: error: could not execute query: ERROR:  relation \"t\" already exists\n"
                           "Command was: CREATE TABLE public.t (\n    id integer\n);\n\n"
                           "pg_restore: error: could not execute query: ERROR:  role \"x\" does not exist\n"
                           "Command was: ALTER TABLE public.t OWNER TO x;\n"
                           "pg_restore: warning: errors ignored on restore: 2\n",
                           EXITED(1));

    (void)state;
    assert_string_equal(err.message, "pg_restore failed: relation \"t\" already exists (Command was: CREATE TABLE "
                                     "public.t (), and 1 more error");
}

static void script_errors_have_their_line(void **state)
{
    struct err err = words("psql",
                           "psql:/tmp/a:7.sql:12: ERROR:  duplicate key value violates unique constraint \"t_pkey\"\n"
                           "DETAIL:  Key (id)=(1) already exists.\n",
                           EXITED(3));

    (void)state;
    assert_string_equal(err.message,
                        "psql failed at line 12: duplicate key value violates unique constraint \"t_pkey\" "
                        "(Key (id)=(1) already exists.)");
    err = words("psql", "ERROR:  column no.such does not exist\nLINE 1: select no.such\n               ^\n", EXITED(1));
    assert_string_equal(err.message, "psql failed: column no.such does not exist");
    err = words("psql", "psql:<stdin>:3: error: server closed the connection unexpectedly\n", EXITED(2));
    assert_string_equal(err.message, "psql failed at line 3: server closed the connection unexpectedly");
    assert_non_null(strstr(err.hint, "its log"));
}

static void usage_errors_are_shown(void **state)
{
    struct err err = words("pg_dump", "pg_dump: unrecognized option: bogus\npg_dump: hint: Try \"pg_dump --help\".\n",
                           EXITED(1));

    (void)state;
    assert_string_equal(err.message, "pg_dump failed: unrecognized option: bogus");
}

static void killed_is_told(void **state)
{
    struct err err = words("pg_dump", "", SIGKILL);

    (void)state;
    assert_non_null(strstr(err.message, "killed by signal 9"));
    assert_non_null(strstr(err.hint, "memory"));
    err = words("pg_dump", "", EXITED(7));
    assert_string_equal(err.message, "pg_dump ended with status 7 and said nothing");
}

static void full_disk_is_told(void **state)
{
    struct err err = words("pg_dumpall", "pg_dumpall: error: could not write to output file: No space left on device\n",
                           EXITED(1));

    (void)state;
    assert_int_equal(err.class, ERR_SPACE);
    err = words(
        "pg_restore",
        "pg_restore: error: could not execute query: ERROR:  could not extend file \"base/5/16384\": No space left on "
        "device\n",
        EXITED(1));
    assert_int_equal(err.class, ERR_DUMP);
    assert_non_null(strstr(err.hint, "server's disk"));
}

static void avalanches_are_bounded(void **state)
{
    size_t n = 200000;
    char *text = malloc(n + 100);
    struct err err = { 0 };

    (void)state;
    memcpy(text, "pg_dump: error: ", 16);
    memset(text + 16, 'x', n);
    text[n + 16] = '\0';
    tool_words("pg_dump", text, EXITED(1), ERR_DUMP, &err);
    free(text);
    assert_true(strlen(err.message) < 700);

    err = (struct err){ .class = ERR_IO, .message = "first" };
    tool_words("pg_dump", (char[]){ "pg_dump: error: second" }, EXITED(1), ERR_DUMP, &err);
    assert_string_equal(err.message, "first");
}

static void any_text_is_survived(void **state)
{
    static const char *const texts[] = { "\n\n\n",  "pg_dump",  "pg_dump:", "pg_dump: ", "pg_dump: error: ",
                                         "psql:",   "psql::::", "ERROR:  ", ": error: ", "pg_dump:x: error: ",
                                         "\xff\xfe" };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(words("pg_dump", texts[i], EXITED(1)).class, ERR_DUMP);
        assert_int_equal(words("psql", texts[i], EXITED(1)).class, ERR_DUMP);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("an error is one line, with its detail and without the program's clutter", one_line_with_its_detail),
        PROMISE("the first error is the cause, the others are counted", first_error_is_the_cause),
        PROMISE("an error in a script has its line number", script_errors_have_their_line),
        PROMISE("a wrong option is shown", usage_errors_are_shown),
        PROMISE("who killed it is told", killed_is_told),
        PROMISE("a full disk here is told from one on the server", full_disk_is_told),
        PROMISE("an endless message is cut, and the first failure stays", avalanches_are_bounded),
        PROMISE("any text is survived", any_text_is_survived),
    };

    return RUN_PROMISES(tests);
}
