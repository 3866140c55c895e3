/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"
#include "test/unit/settings.h"

#include <errno.h>
#include <sys/wait.h>

#include "core/backup/places.h"

static void set(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

/* Only what a test sets counts. */
static struct settings *fresh(void)
{
    struct err err = { 0 };
    struct settings *s = unit_settings("/dev/null", &err);

    assert_non_null(s);
    return s;
}

static int forget(void **state)
{
    static const char *const libpq[] = { "PGDATABASE", "PGHOST", "PGHOSTADDR", "PGSERVICE", "PGUSER", "PGPORT" };

    for (int i = 0; i < SETTING_COUNT; i++)
        unsetenv(settings_name((enum setting)i));
    for (size_t i = 0; i < sizeof libpq / sizeof *libpq; i++)
        unsetenv(libpq[i]);
    if (unit_enter_dir(state) < 0)
        return -1;
    set("SFB_WORK_DIR", "work");
    set("SFB_CACHE_DIR", "cache");
    set("SFB_LOG_DIR", "logs");
    set("SFB_STATE_DIR", "state");
    return 0;
}

#define PROMISE_FRESH(sentence, function)                \
    {                                                    \
        sentence, function, forget, unit_leave_dir, NULL \
    }

/* ---- directories --------------------------------------------------------------------------------------------- */

static void made(void **state)
{
    struct err err = { 0 };
    struct settings *s;
    struct places p;
    struct stat st;

    (void)state;
    set("SFB_CACHE_DIR", "deep/er/cache");
    s = fresh();
    assert_int_equal(places_open(s, &p, &err), 0);
    assert_string_equal(p.work, "work");
    assert_string_equal(p.cache, "deep/er/cache");
    assert_string_equal(p.logs, "logs");
    assert_string_equal(p.state, "state");
    assert_int_equal(stat("deep/er/cache", &st), 0);
    assert_int_equal(st.st_mode & 07007, 0);
    assert_int_equal(stat("state", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    places_release(&p);
    settings_free(s);
}

static void none_wanted(void **state)
{
    struct err err = { 0 };
    struct settings *s;
    struct places p;

    (void)state;
    set("SFB_CACHE_DIR", "");
    set("SFB_LOG_DIR", "");
    set("SFB_STATE_DIR", "");
    s = fresh();
    assert_int_equal(places_open(s, &p, &err), 0);
    assert_null(p.cache);
    assert_null(p.logs);
    assert_null(p.state);
    places_release(&p);
    settings_free(s);
}

static void assert_refused(const char *name, const char *value)
{
    struct err err = { 0 };
    const char *before = getenv(name);
    char *saved = before ? strdup(before) : NULL;
    struct settings *s;
    struct places p;

    set(name, value);
    s = fresh();
    assert_int_equal(places_open(s, &p, &err), -1);
    assert_int_equal(err.class, ERR_CONFIG);
    if (!strstr(err.message, name))
        fail_msg("%s is not in: %s", name, err.message);
    assert_null(p.work);
    settings_free(s);
    set(name, saved);
    free(saved);
}

static void named_must_be_usable(void **state)
{
    FILE *f = fopen("file", "w");

    (void)state;
    fclose(f);
    assert_refused("SFB_WORK_DIR", "file");
    assert_refused("SFB_WORK_DIR", "file/below");
    assert_refused("SFB_WORK_DIR", "");
    assert_refused("SFB_CACHE_DIR", "file");
    assert_refused("SFB_LOG_DIR", "/proc/none/at/all");
    assert_refused("SFB_STATE_DIR", "file");
    assert_refused("SFB_CACHE_DIR", "~/cache");
}

/* In a child that is nobody: root may write anywhere. Exit 0: as promised. */
static int as_nobody(void)
{
    struct err err = { 0 };
    struct settings *s;
    struct places p;
    int rc = 1;

    if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
        return 2;
    set("SFB_CACHE_DIR", NULL);
    set("SFB_LOG_DIR", NULL);
    set("SFB_STATE_DIR", NULL);
    set("SFB_APP", "unit-test-nobody");
    set("SFB_WORK_DIR", "/tmp");
    s = unit_settings("/dev/null", &err);
    if (s && places_open(s, &p, &err) == 0)
        rc = p.cache || p.logs || p.state || !p.work;
    if (rc == 0) /* the same directory, but named */
        set("SFB_CACHE_DIR", "/var/backups/unit-test-nobody");
    settings_free(s);
    s = unit_settings("/dev/null", &err);
    if (rc == 0 && (places_open(s, &p, &err) == 0 || err.class != ERR_CONFIG))
        rc = 3;
    return rc;
}

static void default_may_be_missing(void **state)
{
    int status;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(9);
        _exit(as_nobody());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void prepared_log(void **state)
{
    struct err err = { 0 };
    struct settings *s;
    struct places p;
    FILE *f;

    (void)state;
    set("SFB_APP", "shop");
    assert_int_equal(mkdir("logs", 0700), 0);
    f = fopen("logs/shop-backup-audit.log", "w");
    fclose(f);
    assert_int_equal(chmod("logs", 0500), 0);
    s = fresh();
    assert_int_equal(places_open(s, &p, &err), 0);
    assert_string_equal(p.logs, "logs");
    places_release(&p);
    settings_free(s);
}

/* ---- databases ----------------------------------------------------------------------------------------------- */

static void assert_target(const char *environment, const char *expected)
{
    struct err err = { 0 };
    struct settings *s = fresh();
    struct target *t = places_target(s, environment, &err);
    struct buf text;

    buf_init(&text, 4096);
    if (expected) {
        assert_non_null(t);
        target_describe(t, &text);
        assert_string_equal(text.data, expected);
    } else {
        assert_null(t);
        assert_int_equal(err.class, ERR_CONFIG);
        assert_true(err.message[0] != '\0' && err.hint[0] != '\0');
    }
    buf_release(&text);
    target_free(t);
    settings_free(s);
}

static void assert_no_environment(const char *name)
{
    struct err err = { 0 };
    struct settings *s = fresh();

    assert_null(places_target(s, name, &err));
    assert_int_equal(err.class, ERR_USAGE);
    assert_true(err.message[0] != '\0' && err.hint[0] != '\0');
    settings_free(s);
}

static void targets(void **state)
{
    (void)state;
    assert_target("production", NULL);
    assert_target("staging", NULL);
    set("DATABASE_URL", "postgresql://u:p@any.example:5432/d");
    assert_target("production", "postgresql://any.example:5432/d");
    assert_target("staging", NULL); /* never production's */
    set("PRODUCTION_DATABASE_URL", "postgresql://u:p@prod.example:5433/d");
    assert_target("production", "postgresql://prod.example:5433/d");
    assert_target("staging", NULL);
    set("STAGING_DATABASE_URL", "postgresql://u:p@staging.example:5432/d");
    assert_target("staging", "postgresql://staging.example:5432/d");
    set("PRODUCTION_DATABASE_URL", ""); /* as a compose file leaves it */
    assert_target("production", "postgresql://any.example:5432/d");
    assert_no_environment("test");
    assert_no_environment("");
}

static void libpq_variables(void **state)
{
    (void)state;
    set("PGHOST", "pg.example");
    set("PGDATABASE", "d");
    set("PGPORT", "5432");
    assert_target("production", "postgresql://pg.example:5432/d");
    assert_target("staging", NULL);
}

static void no_password_in_messages(void **state)
{
    struct err err = { 0 };
    struct settings *s;

    (void)state;
    set("STAGING_DATABASE_URL", "postgresql://u:geheim@h:nonsense:1/d?what=geheim");
    s = fresh();
    assert_null(places_target(s, "staging", &err));
    assert_int_equal(err.class, ERR_CONFIG);
    assert_non_null(strstr(err.message, "STAGING_DATABASE_URL"));
    assert_null(strstr(err.message, "geheim"));
    assert_null(strstr(err.hint, "geheim"));
    settings_free(s);
}

/* ---- locks --------------------------------------------------------------------------------------------------- */

static void one_at_a_time(void **state)
{
    struct err err = { 0 };
    struct settings *s = fresh();
    struct places p;
    struct os_lock lock, other;
    int status;
    pid_t child;

    (void)state;
    assert_int_equal(places_open(s, &p, &err), 0);
    assert_int_equal(places_lock(s, &p, "production", &lock, &err), 0);
    assert_int_equal(places_lock(s, &p, "staging", &other, &err), 0); /* another environment is another lock */
    os_lock_release(&other);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(places_lock(s, &p, "production", &other, &err) == -1 && err.class == ERR_BUSY ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(access("state/signupflow-production.lock", F_OK), 0);
    os_lock_release(&lock);
    places_release(&p);
    settings_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_FRESH("directories are made, and not for everybody", made),
        PROMISE_FRESH("an empty name means: none, and no complaint", none_wanted),
        PROMISE_FRESH("a directory that was named and can't be used is an error of its setting", named_must_be_usable),
        PROMISE_FRESH("a default directory that can't be used is done without", default_may_be_missing),
        PROMISE_FRESH("an audit log that was prepared serves in a directory that is not ours", prepared_log),
        PROMISE_FRESH("staging never gets production's database", targets),
        PROMISE_FRESH("libpq's variables count for production only", libpq_variables),
        PROMISE_FRESH("no message about a URL holds its password", no_password_in_messages),
        PROMISE_FRESH("an environment is locked for one run; the others are not", one_at_a_time),
    };

    return RUN_PROMISES(tests);
}
