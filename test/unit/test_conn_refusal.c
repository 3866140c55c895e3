/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/pg/conn_refusal.h"

/* libpq's message (verbose), what must be in ours and in the hint. */
static struct err refusal(const char *message, int timed_out, const char *words, const char *hint)
{
    struct err err = { 0 };
    struct target *t = target_parse("postgresql://app:sesame@db:5432/shop", &err);

    assert_non_null(t);
    conn_refusal(t, message, timed_out, &err);
    if (strstr(err.message, words) == NULL)
        fail_msg("no \"%s\" in: %s", words, err.message);
    if (strstr(err.hint, hint) == NULL)
        fail_msg("no \"%s\" in the hint: %s", hint, err.hint);
    target_free(t);
    return err;
}

#define AT "connection to server at \"db\" (10.0.0.3), port 5432 failed: "

static void every_refusal_has_its_remedy(void **state)
{
    (void)state;
    refusal(AT "FATAL:  28P01: password authentication failed for user \"app\"\nLOCATION:  auth_failed, auth.c:326\n",
            0, "as app: password authentication failed for user \"app\" (10.0.0.3)", "check user app and its password");
    refusal(AT "FATAL:  3D000: database \"shop\" does not exist\n", 0, "database \"shop\" does not exist", "psql -l");
    refusal(
        AT
        "FATAL:  28000: no pg_hba.conf entry for host \"10.0.0.9\", user \"app\", database \"shop\", no encryption\n",
        0, "no pg_hba.conf entry", "sslmode=require");
    refusal(AT "FATAL:  53300: sorry, too many clients already\n", 0, "too many clients", "max_connections");
    refusal(AT "FATAL:  57P03: the database system is starting up\n", 0, "starting up", "try again");
    refusal(AT "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n", 0,
            "as app: Connection refused (10.0.0.3)", "nothing listens on port 5432 of db");
    refusal("could not translate host name \"db\" to address: Name or service not known\n", 0, "could not translate",
            "is db spelled right");
    refusal(AT "SSL error: certificate verify failed\n", 0, "certificate verify failed", "sslrootcert=FILE");
    refusal(AT "server certificate for \"x\" does not match host name \"db\"\n", 0, "does not match", "another name");
    refusal(AT "server does not support SSL, but SSL was required\n", 0, "does not support SSL", "ssl = on");
    refusal(AT "FATAL:  08P01: unsupported startup parameter: options\n", 0, "unsupported startup", "pooler");
    refusal(AT "received invalid response to SSL negotiation: H\n", 0, "invalid response", "is it PostgreSQL");
}

static void language_does_not_matter(void **state)
{
    (void)state;
    refusal(AT "FATALER FEHLER:  28P01: Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen\n", 0,
            "as app: Passwort", "check user app");
}

static void silence_is_a_timeout(void **state)
{
    struct err err = refusal(AT "Connection reset by peer\n\tIs the server running on that host?\n", 15,
                             "no answer within 15 s", "firewall");

    (void)state;
    assert_null(strstr(err.message, "reset"));
}

static void reasons_are_not_repeated(void **state)
{
    struct err err = refusal("connection to server at \"db\" (::1), port 5432 failed: Connection refused\n"
                             "connection to server at \"db\" (127.0.0.1), port 5432 failed: Connection refused\n",
                             0, "Connection refused (::1)", "nothing listens");

    (void)state;
    assert_null(strstr(err.message, "127.0.0.1"));
}

static void wrong_value_is_a_setting(void **state)
{
    struct err err = refusal("invalid sslmode value: \"bogus\"\n", 0, "invalid sslmode", "PGSSLMODE");

    (void)state;
    assert_int_equal(err.class, ERR_CONFIG);
    err = refusal(AT "received invalid response to SSL negotiation: H\n", 0, "", "");
    assert_int_equal(err.class, ERR_CONNECT);
}

static void nothing_was_said(void **state)
{
    (void)state;
    refusal("", 0, "no reason was given", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("every way to be refused has its words and its remedy", every_refusal_has_its_remedy),
        PROMISE("a server that speaks German is understood by its SQLSTATE", language_does_not_matter),
        PROMISE("a host that does not answer is told from one that refuses", silence_is_a_timeout),
        PROMISE("the same reason for two addresses is said once", reasons_are_not_repeated),
        PROMISE("a value that libpq does not know is a wrong setting, not a dead server", wrong_value_is_a_setting),
        PROMISE("no words at all are an error too", nothing_was_said),
    };

    return RUN_PROMISES(tests);
}
