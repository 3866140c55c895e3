/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/pg/conn.h"

static int without_variables(void **state)
{
    static const char *const names[] = { "PGHOST",    "PGPORT",        "PGUSER",    "PGDATABASE", "PGPASSWORD",
                                         "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS", "PGSSLMODE",  "PGSSLROOTCERT" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("HOME", "/nonexistent", 1);
    return 0;
}

static void described_as(const char *url, const char *expected)
{
    struct err err = { 0 };
    struct target *t = target_parse(url, &err);
    struct buf out;

    if (t == NULL)
        fail_msg("%s: %s", url, err.message);
    buf_init(&out, 4096);
    target_describe(t, &out);
    assert_string_equal(out.data, expected);
    buf_release(&out);
    target_free(t);
}

/* url is refused, and nothing of it that looks like "sesame" is said. */
static void refused(const char *url, const char *words)
{
    struct err err = { 0 };
    struct target *t = target_parse(url, &err);

    assert_null(t);
    assert_int_equal(err.class, ERR_CONFIG);
    if (strstr(err.message, words) == NULL)
        fail_msg("%s: %s", url, err.message);
    assert_true(err.hint[0] != '\0');
    assert_null(strstr(err.message, "sam"));
    assert_null(strstr(err.message, "ses"));
    assert_null(strstr(err.hint, "sam"));
}

static void urls_are_understood(void **state)
{
    (void)state;
    described_as("postgresql://app:sesame@db.example:5433/shop", "postgresql://db.example:5433/shop");
    described_as("postgres://app@db/shop", "postgresql://db:5432/shop");
    described_as("postgresql+psycopg2://app@db/shop", "postgresql://db:5432/shop");
    described_as(" postgresql://app@db/shop\n", "postgresql://db:5432/shop");
    described_as("host=db user=app dbname='a b' password=sesame", "postgresql://db:5432/a%20b");
    described_as("postgresql://app@[::1]:5433/shop", "postgresql://[::1]:5433/shop");
    described_as("postgresql://app@a,b:5433/shop", "postgresql://a:5432,b:5433/shop");
    described_as("postgresql://app@/shop?host=/run/pg&port=5433", "postgresql:///shop?host=/run/pg&port=5433");
    described_as("postgresql://app@db/caf%C3%A9%2F%22%0A", "postgresql://db:5432/café%2F%22%0A");
}

static void variables_fill_the_rest(void **state)
{
    (void)state;
    setenv("PGHOST", "elsewhere", 1);
    setenv("PGPORT", "6000", 1);
    setenv("PGUSER", "somebody", 1);
    setenv("PGDATABASE", "shop", 1);
    described_as("", "postgresql://elsewhere:6000/shop");
    described_as("postgresql://app@db", "postgresql://db:6000/shop");
    described_as("postgresql://db/other", "postgresql://db:6000/other");
}

static void the_database_is_named(void **state)
{
    (void)state;
    refused("postgresql://app@db", "no database");
    refused("postgresql://app@db/", "no database");
    refused("host=db user=app", "no database");
}

static void service_file_fills_the_rest(void **state)
{
    FILE *f = fopen("services", "w");

    (void)state;
    fputs("[shop]\nhost=db.example\nport=5999\nuser=app\ndbname=goods\n", f);
    fclose(f);
    setenv("PGSERVICEFILE", "services", 1);
    described_as("service=shop", "postgresql://db.example:5999/goods");
    described_as("postgresql://?service=shop&port=1", "postgresql://db.example:1/goods");
    assert_null(getenv("PGSERVICE"));
}

static void mistakes_show_no_password(void **state)
{
    (void)state;
    refused("postgresql://app:ses@me@db/shop", "more than one @");
    refused("postgresql://app:12/sesame@db/shop", "/ before its @");
    refused("postgresql://app:sesame%zz@db/shop", "percent-encoded");
    refused("postgresql://app:pw@db:sesame/shop", "port is not a number");
    refused("postgresql://app:pw@db:70000/shop", "port is not a number");
    refused("sesame", "missing");
    refused("host=db password=open sesame", "missing");
    refused("host=db password='sesame", "unterminated");
    refused("postgresql://app:pw@db/shop?sesame", "query parameter");
    refused("postgresql://app:pw@db/shop?sesame=1", "query parameter");
    refused("mysql://app:sesame@db/shop", "no PostgreSQL URL");
    refused("https://app:sesame@db/shop", "no PostgreSQL URL");
}

static void foreign_parameters_are_named(void **state)
{
    (void)state;
    refused("postgresql://app:sesame@db/shop?schema=public", "\"schema\"");
    refused("postgresql://app:sesame@db/shop?connection_limit=5", "\"connection_limit\"");
}

static char *conninfo(const char *url, const char *options)
{
    struct err err = { 0 };
    struct target *t = target_parse(url, &err);
    char *text;

    assert_non_null(t);
    text = target_conninfo(t, options, &err);
    target_free(t);
    assert_non_null(text);
    return text;
}

static void contains(char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no %s in: %s", part, text);
    free(text);
}

static void connection_strings_hold_every_name(void **state)
{
    (void)state;
    contains(conninfo("postgresql://app:it%27s%5Ca%20b@db/shop", NULL), "password='it\\'s\\\\a b'");
    contains(conninfo("postgresql://app@db/a%3Db%27", NULL), "dbname='a=b\\''");
    contains(conninfo("postgresql://app@db/x%0Ay", NULL), "dbname='x\ny'");
}

static void options_are_merged(void **state)
{
    (void)state;
    contains(conninfo("postgresql://app@db/shop", "-c a=1"), "options=' -c a=1'");
    contains(conninfo("postgresql://app@db/shop?options=-c%20b%3D2", "-c a=1"), "options='-c b=2 -c a=1'");
    setenv("PGOPTIONS", "-c c=3", 1);
    contains(conninfo("postgresql://app@db/shop", "-c a='x\\ y'"), "options='-c c=3 -c a=\\'x\\\\ y\\''");
    contains(conninfo("postgresql://app@db/shop", NULL), "options='-c c=3 '");
}

static void public_string_has_no_secret(void **state)
{
    struct err err = { 0 };
    struct target *t = target_parse("postgresql://app:sesame@db/shop?sslpassword=samsam", &err);
    char *text;

    (void)state;
    assert_non_null(t);
    text = target_conninfo_public(t, NULL, &err);
    assert_non_null(text);
    assert_null(strstr(text, "sam"));
    assert_non_null(strstr(text, "user='app'"));
    assert_string_equal(target_get(t, "password"), "sesame");
    free(text);
    target_free(t);
}

static void public_authorities_check_the_host_too(void **state)
{
    (void)state;
    contains(conninfo("postgresql://app@db/shop?sslmode=verify-full", NULL), "sslrootcert='system'");
    contains(conninfo("postgresql://app@db/shop?sslmode=verify-ca", NULL), "sslmode='verify-full'");
    contains(conninfo("postgresql://app@db/shop?sslmode=verify-ca&sslrootcert=ca.crt", NULL), "sslmode='verify-ca'");
    assert_int_equal(mkdir(".postgresql", 0700), 0);
    fclose(fopen(".postgresql/root.crt", "w"));
    setenv("HOME", ".", 1);
    contains(conninfo("postgresql://app@db/shop?sslmode=verify-ca", NULL), "sslmode='verify-ca'");
}

static void another_database_same_server(void **state)
{
    struct err err = { 0 };
    struct target *t = target_parse("postgresql://app:sesame@db:1/shop", &err);
    struct target *other = target_with_database(t, "post\"gres", &err);

    (void)state;
    assert_non_null(other);
    assert_string_equal(target_database(other), "post\"gres");
    assert_string_equal(target_database(t), "shop");
    assert_string_equal(target_host(other), "db");
    assert_string_equal(target_port(other), "1");
    assert_string_equal(target_user(other), "app");
    assert_string_equal(target_get(other, "password"), "sesame");
    target_free(t);
    target_free(other);
    target_free(NULL);
}

static void encoding_is_ours(void **state)
{
    struct err err = { 0 };
    struct target *t = target_parse("postgresql://app@db/shop?client_encoding=utf8", &err);
    struct target *other;
    char *text;

    (void)state;
    assert_non_null(t);
    assert_null(target_get(t, "client_encoding"));
    assert_int_equal(target_set_encoding(t, "LATIN1", &err), 0);
    assert_int_equal(target_set_encoding(t, "EUC_JP", &err), 0);
    other = target_with_database(t, "else", &err);
    assert_non_null(other);
    text = target_conninfo(other, NULL, &err);
    assert_non_null(text);
    contains(text, "client_encoding='EUC_JP'");
    target_free(t);
    target_free(other);
}

#define BARE(sentence, function)                          \
    {                                                     \
        sentence, function, without_variables, NULL, NULL \
    }

static int enter_bare(void **state)
{
    return unit_enter_dir(state) == 0 ? without_variables(state) : -1;
}
#define BARE_IN_DIR(sentence, function)                      \
    {                                                        \
        sentence, function, enter_bare, unit_leave_dir, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BARE("URLs of every shape are understood, and shown without user and password", urls_are_understood),
        BARE("what the URL leaves out comes from libpq's variables", variables_fill_the_rest),
        BARE_IN_DIR("what the URL leaves out comes from the service it names", service_file_fills_the_rest),
        BARE("the database is named, not guessed from the user", the_database_is_named),
        BARE("a mistake in a URL is told without a piece of the password", mistakes_show_no_password),
        BARE("a parameter of another driver is named", foreign_parameters_are_named),
        BARE("quotes, backslashes and newlines survive in a connection string", connection_strings_hold_every_name),
        BARE("session options come after the user's own", options_are_merged),
        BARE("the string for a command line has no secret", public_string_has_no_secret),
        BARE_IN_DIR("public authorities are believed only together with the host name",
                    public_authorities_check_the_host_too),
        BARE("the encoding of the text is not the URL's to choose", encoding_is_ours),
        BARE("another database of the same server keeps the rest", another_database_same_server),
    };

    return RUN_PROMISES(tests);
}
