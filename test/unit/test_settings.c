/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"
#include "test/unit/settings.h"

#include "core/backup/settings.h"
#include "core/backup/settings_file.h"
#include "core/base/log.h"

/* ---- helpers ------------------------------------------------------------------------------------------------- */

static void forget_environment(void)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        unsetenv(settings_name((enum setting)i));
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(name, mode), 0);
}

static struct settings *load(const char *text, struct err *err)
{
    forget_environment();
    write_file("env", text, 0600);
    return unit_settings("env", err);
}

static void assert_refused(const char *text, const char *message_part, const char *hint_part)
{
    struct err err = { 0 };
    struct settings *s = load(text, &err);

    assert_null(s);
    assert_int_equal(err.class, ERR_CONFIG);
    if (!strstr(err.message, message_part))
        fail_msg("\"%s\" is not in: %s", message_part, err.message);
    if (!strstr(err.hint, hint_part))
        fail_msg("\"%s\" is not in: %s", hint_part, err.hint);
}

/* ---- the file ------------------------------------------------------------------------------------------------ */

static void lines(void **state)
{
    static const struct {
        const char *line, *value;
    } cases[] = {
        { "SFB_CACHE_DIR=/a", "/a" },
        { "  SFB_CACHE_DIR  =  /a b  \t\r", "/a b" },
        { "SFB_CACHE_DIR=", "" },
        { "SFB_CACHE_DIR=\"\"", "" },
        { "SFB_CACHE_DIR=\" a # b \"", " a # b " },
        { "SFB_CACHE_DIR='a \"b\" \\n'", "a \"b\" \\n" },
        { "SFB_CACHE_DIR=\"a\\\"b\\\\c\\$d\\n\"", "a\"b\\c$d\\n" },
        { "SFB_CACHE_DIR=a\\b", "a\\b" },
        { "SFB_CACHE_DIR=$HOME/${X}`id`", "$HOME/${X}`id`" }, /* nothing is expanded */
        { "SFB_CACHE_DIR=a#b;c", "a#b;c" },
        { "SFB_CACHE_DIR=a=b", "a=b" },
        { "SFB_CACHE_DIR=1\nSFB_CACHE_DIR=2", "2" },
        { "# SFB_CACHE_DIR=1\n;x\n\n   \nSFB_CACHE_DIR=3", "3" },
        { "\xEF\xBB\xBFSFB_CACHE_DIR=4", "4" },
        { "SFB_CACHE_DIR=it's", "it's" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = { 0 };
        struct settings *s = load(cases[i].line, &err);

        assert_non_null(s);
        assert_string_equal(settings_get(s, SETTING_CACHE_DIR), cases[i].value);
        assert_int_equal(settings_origin(s, SETTING_CACHE_DIR), FROM_FILE);
        settings_free(s);
    }
}

static void bad_lines(void **state)
{
    (void)state;
    assert_refused("SFB_APP=a\n\nnonsense\n", "line 3", "#");
    assert_refused("SFB_APP\n", "line 1", "#");
    assert_refused("=x\n", "line 1", "#");
    assert_refused("1A=x\n", "line 1", "#");
    assert_refused("SFB APP=x\n", "line 1", "#");
    assert_refused("SFB_APP=\"x\n", "SFB_APP does not end with its \"", "\\\"");
    assert_refused("SFB_APP='x' y\n", "does not end with its '", "");
    assert_refused("export SFB_APP=x\n", "export", "without export");
}

static void no_value_in_messages(void **state)
{
    struct err err = { 0 };

    (void)state;
    assert_null(load("DATABASE_URL=\"postgresql://u:geheim@h/d\n", &err));
    assert_null(strstr(err.message, "geheim"));
    assert_null(strstr(err.hint, "geheim"));
}

static void unknown_names(void **state)
{
    (void)state;
    assert_refused("SFB_CAHCE_DIR=/x\n", "there is no setting SFB_CAHCE_DIR", "did you mean SFB_CACHE_DIR?");
    assert_refused("SFB_JOB=2\n", "line 1", "did you mean SFB_JOBS?");
    assert_refused("SFB_ENTIRELY_ELSE=2\n", "SFB_ENTIRELY_ELSE", "sfb config");
}

static void foreign_names(void **state)
{
    struct err err = { 0 };
    struct settings *s;

    (void)state;
    unsetenv("UNIT_FOREIGN");
    setenv("UNIT_OTHER", "already", 1);
    s = load("UNIT_FOREIGN=from file\nUNIT_OTHER=from file\n", &err);
    assert_non_null(s);
    assert_string_equal(getenv("UNIT_FOREIGN"), "from file");
    assert_string_equal(getenv("UNIT_OTHER"), "already");
    settings_free(s);
}

static void who_may_write(void **state)
{
    struct err err = { 0 };
    struct settings *s;

    (void)state;
    forget_environment();
    write_file("everybody", "SFB_APP=x\n", 0602);
    assert_null(unit_settings("everybody", &err));
    assert_int_equal(err.class, ERR_CONFIG);
    assert_non_null(strstr(err.message, "everybody may write"));
    err_clear(&err);
    write_file("group", "SFB_APP=x\n", 0660); /* our own group: a usual umask */
    s = unit_settings("group", &err);
    assert_non_null(s);
    settings_free(s);
    if (geteuid() == 0) {
        assert_int_equal(chown("group", (uid_t)-1, 54321), 0);
        assert_null(unit_settings("group", &err));
        assert_non_null(strstr(err.message, "a group that is not yours"));
    }
}

static void what_is_no_file(void **state)
{
    struct err err = { 0 };
    struct settings *s;
    FILE *f;

    (void)state;
    forget_environment();
    assert_null(unit_settings("missing", &err));
    assert_int_equal(err.class, ERR_CONFIG);
    err_clear(&err);
    assert_null(unit_settings(".", &err));
    assert_int_equal(err.class, ERR_CONFIG);
    err_clear(&err);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_null(unit_settings("fifo", &err)); /* and does not wait */
    assert_int_equal(err.class, ERR_CONFIG);
    err_clear(&err);
    f = fopen("nul", "w");
    assert_non_null(f);
    fwrite("SFB_APP=a\0b\n", 1, 12, f);
    fclose(f);
    assert_null(unit_settings("nul", &err));
    assert_int_equal(err.class, ERR_CONFIG);
    err_clear(&err);
    write_file("large", "#", 0600);
    assert_int_equal(truncate("large", SETTINGS_FILE_MAX + 1), 0);
    assert_null(unit_settings("large", &err));
    assert_non_null(strstr(err.message, "larger than"));
    err_clear(&err);
    s = unit_settings("/dev/null", &err);
    assert_non_null(s);
    settings_free(s);
}

/* ---- where a value comes from -------------------------------------------------------------------------------- */

static void order(void **state)
{
    struct err err = { 0 };
    struct settings *s;

    (void)state;
    forget_environment();
    write_file("env", "SFB_JOBS=3\nSFB_CACHE_KEEP=9\n", 0600);
    setenv("SFB_JOBS", "5", 1);
    s = unit_settings("env", &err);
    assert_non_null(s);
    assert_string_equal(settings_get(s, SETTING_JOBS), "5");
    assert_int_equal(settings_origin(s, SETTING_JOBS), FROM_ENVIRONMENT);
    assert_string_equal(settings_get(s, SETTING_CACHE_KEEP), "9");
    assert_int_equal(settings_origin(s, SETTING_CACHE_KEEP), FROM_FILE);
    assert_string_equal(settings_get(s, SETTING_WORK_DIR), "/tmp");
    assert_false(settings_given(s, SETTING_WORK_DIR));
    assert_true(settings_given(s, SETTING_JOBS));
    assert_string_equal(settings_file(s), "env");
    settings_free(s);
    unsetenv("SFB_JOBS");
}

static void app_in_defaults(void **state)
{
    struct err err = { 0 };
    struct settings *s = load("SFB_APP=shop\nSFB_STATE_DIR=/x/${APP}\n", &err);

    (void)state;
    assert_non_null(s);
    assert_string_equal(settings_get(s, SETTING_CACHE_DIR), "/var/backups/shop");
    assert_string_equal(settings_get(s, SETTING_STATE_DIR), "/x/${APP}"); /* in defaults only */
    settings_free(s);
}

static void empty_counts_as_given(void **state)
{
    struct err err = { 0 };
    struct settings *s;

    (void)state;
    forget_environment();
    setenv("SFB_CACHE_DIR", "", 1);
    s = unit_settings("/dev/null", &err);
    assert_non_null(s);
    assert_string_equal(settings_get(s, SETTING_CACHE_DIR), "");
    assert_true(settings_given(s, SETTING_CACHE_DIR));
    settings_free(s);
    unsetenv("SFB_CACHE_DIR");
}

static void app_names(void **state)
{
    (void)state;
    assert_refused("SFB_APP=../etc\n", "SFB_APP", "letters");
    assert_refused("SFB_APP=\n", "SFB_APP", "letters");
    assert_refused("SFB_APP=-rf\n", "SFB_APP", "letters");
    assert_refused("SFB_APP=.hidden\n", "SFB_APP", "letters");
    assert_refused("SFB_APP=a b\n", "SFB_APP", "letters");
}

static void numbers(void **state)
{
    struct err err = { 0 };
    struct settings *s = load("SFB_JOBS=many\nSFB_CACHE_KEEP=7\nSFB_PG_BINDIR=On\n", &err);
    int n = 0;
    bool yes = false;

    (void)state;
    assert_non_null(s);
    assert_int_equal(settings_int(s, SETTING_CACHE_KEEP, 1, 10, &n, &err), 0);
    assert_int_equal(n, 7);
    assert_int_equal(settings_bool(s, SETTING_PG_BINDIR, &yes, &err), 0);
    assert_true(yes);
    assert_int_equal(settings_int(s, SETTING_JOBS, 0, 256, &n, &err), -1);
    assert_int_equal(err.class, ERR_CONFIG);
    assert_string_equal(err.message, "SFB_JOBS is \"many\" (from env); it must be a whole number from 0 to 256");
    err_clear(&err);
    assert_int_equal(settings_int(s, SETTING_CACHE_KEEP, 8, 10, &n, &err), -1);
    err_clear(&err);
    assert_int_equal(settings_bool(s, SETTING_JOBS, &yes, &err), -1);
    assert_int_equal(err.class, ERR_CONFIG);
    settings_free(s);
    err_clear(&err);
    s = load("", &err);
    assert_non_null(s);
    assert_int_equal(settings_numbers(s, &err), 0);
    settings_free(s);
    s = load("SFB_SCHEDULE_HOURS=daily\n", &err);
    assert_non_null(s);
    assert_int_equal(settings_numbers(s, &err), -1);
    assert_string_equal(err.message,
                        "SFB_SCHEDULE_HOURS is \"daily\" (from env); it must be a whole number from 0 to 8784");
    settings_free(s);
}

/* ---- secrets ------------------------------------------------------------------------------------------------- */

static void masks(void **state)
{
    static const struct {
        const char *value, *shown;
    } cases[] = {
        { "", "" },
        { "postgresql://host/db", "postgresql://host/db" },
        { "postgresql://user@host:5432/db", "postgresql://user@host:5432/db" },
        { "postgresql://user:geheim@host/db", "postgresql://user:***@host/db" },
        { "postgres://user:geheim@h1:1,h2:2/db", "postgres://user:***@h1:1,h2:2/db" },
        { "postgresql://user:@host/db", "postgresql://user:***@host/db" },
        { "postgresql://user:ge@heim@host/db", "postgresql://user:***@host/db" },
        { "postgresql://user:ge/heim@host/db", "postgresql://user:***@host/db" },
        { "postgresql://user:ge?heim@host/db", "postgresql://user:***@host/db" },
        { "postgresql://user:geheim", "postgresql://user:***" },
        { "postgresql://h1:5432,h2:5433/db", "postgresql://h1:5432,h2:5433/db" },
        { "postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db" },
        { "postgresql://[::1:geheim/db", "postgresql://[::1:geheim/db" }, /* an address, however wrong */
        { "postgresql://host/db?password=geheim&sslmode=require", "postgresql://host/db?password=***&sslmode=require" },
        { "postgresql://host/db?sslpassword=geheim", "postgresql://host/db?sslpassword=***" },
        { "postgresql://host/db?pass%77ord=geheim", "postgresql://host/db?pass%77ord=***" },
        { "postgresql://host/db?passfile=/root/.pgpass", "postgresql://host/db?passfile=/root/.pgpass" },
        { "postgresql:///db?host=/run", "postgresql:///db?host=/run" },
        { "host=h password=geheim dbname=d", "host=h password=*** dbname=d" },
        { "host=h password = 'ge h\\'eim' dbname=d", "host=h password = *** dbname=d" },
        { "host=h password='geheim", "host=h password=***" },
        { "host=h password=ge heim dbname=d", "host=h password=*** ***" },
        { "PASSWORD=geheim", "PASSWORD=***" },
        { "geheim", "***" },
        { "/geheim=x", "***" },
    };
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_reset(&out);
        settings_mask(&out, cases[i].value);
        assert_string_equal(out.data, cases[i].shown);
    }
    buf_release(&out);
}

static void shown(void **state)
{
    struct err err = { 0 };
    struct settings *s = load("DATABASE_URL=postgresql://u:geheim@h/d\nSFB_CACHE_DIR=/c\n", &err);
    struct buf out;

    (void)state;
    assert_non_null(s);
    buf_init(&out, 4096);
    settings_show(&out, s, SETTING_DATABASE_URL);
    buf_putc(&out, ' ');
    settings_show(&out, s, SETTING_CACHE_DIR);
    assert_string_equal(out.data, "postgresql://u:***@h/d /c");
    buf_release(&out);
    settings_free(s);
}

static void table(void **state)
{
    (void)state;
    for (int i = 0; i < SETTING_COUNT; i++) {
        assert_true(strlen(settings_help((enum setting)i)) > 10);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(settings_name((enum setting)i), settings_name((enum setting)j));
    }
}

static void rest(void **state)
{
    struct settings *s = NULL;
    struct err err = { 0 };

    (void)state;
    forget_environment();
    setenv("SFB_ALERT_TO", "ops@example.com", 1);
    write_file("env",
               "SFB_SMTP_URL=smtp://a\nnonsense\nSFB_JBOS=2\nSFB_SMTP_USER=\"x\nSFB_STATE_DIR=/state\nSFB_APP=shop\n",
               0600);
    assert_int_equal(settings_read("env", &s, &err), -1);
    assert_string_equal(err.message, "env, line 2 is no NAME=VALUE");
    assert_non_null(strstr(err.hint, "a comment begins with #"));
    assert_string_equal(settings_get(s, SETTING_SMTP_URL), "smtp://a");
    assert_string_equal(settings_get(s, SETTING_STATE_DIR), "/state");
    assert_string_equal(settings_get(s, SETTING_ALERT_TO), "ops@example.com");
    assert_string_equal(settings_get(s, SETTING_SMTP_USER), "");
    assert_string_equal(settings_get(s, SETTING_CACHE_DIR), "/var/backups/shop");
    settings_free(s);
}

static void nobody_knows_the_name(void **state)
{
    struct settings *s = NULL;
    struct err err = { 0 };

    (void)state;
    forget_environment();
    assert_int_equal(settings_read("missing", &s, &err), -1); /* which may have named another one */
    assert_string_equal(settings_get(s, SETTING_APP), "");
    assert_string_equal(settings_get(s, SETTING_STATE_DIR), "");
    assert_string_equal(settings_get(s, SETTING_WORK_DIR), "/tmp");
    settings_free(s);
    err_clear(&err);
    setenv("SFB_APP", "../etc", 1);
    assert_int_equal(settings_read("/dev/null", &s, &err), -1);
    assert_string_equal(settings_get(s, SETTING_STATE_DIR), "");
    settings_free(s);
    err_clear(&err);
    setenv("SFB_APP", "shop", 1);
    assert_int_equal(settings_read("missing", &s, &err), -1);
    assert_string_equal(settings_get(s, SETTING_STATE_DIR), "/var/lib/shop");
    settings_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_IN_DIR("lines mean what they mean to systemd and docker", lines),
        PROMISE_IN_DIR("a line that is none is refused with its number", bad_lines),
        PROMISE_IN_DIR("no message about the file holds a value", no_value_in_messages),
        PROMISE_IN_DIR("a mistyped name is refused, and the one that was meant is told", unknown_names),
        PROMISE_IN_DIR("what is not ours goes to the environment, unless it is there", foreign_names),
        PROMISE_IN_DIR("a file that others may write to is refused", who_may_write),
        PROMISE_IN_DIR("what is no file is no settings file; /dev/null is an empty one", what_is_no_file),
        PROMISE_IN_DIR("the environment beats the file, the file beats the default", order),
        PROMISE_IN_DIR("the application's name stands in the defaults, and only there", app_in_defaults),
        PROMISE_IN_DIR("an empty value is a value", empty_counts_as_given),
        PROMISE_IN_DIR("the application's name is fit for file names", app_names),
        PROMISE_IN_DIR("a wrong number is told with its setting and where it came from", numbers),
        PROMISE_IN_DIR("passwords are masked, also in what libpq would refuse", masks),
        PROMISE_IN_DIR("a secret setting is shown without its secret", shown),
        PROMISE_IN_DIR("every setting has a name of its own and an explanation", table),
        PROMISE_IN_DIR("a file that is wrong somewhere is read all the same, so that somebody can be told", rest),
        PROMISE_IN_DIR("where nobody knows the application's name, nobody's directory is taken for its own",
                       nobody_knows_the_name),
    };

    return RUN_PROMISES(tests);
}
