/* SPDX-License-Identifier: PostgreSQL */
/* What needs no network: environment, files, their order, JSON. The rest of the chain is in test/live/creds.bats. */
#include "test/unit/unit.h"

#include "core/store/awscreds_impl.h"

static const char *const variables[] = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CA_BUNDLE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
};

static int enter(void **state)
{
    char here[200];

    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    if (unit_enter_dir(state) < 0 || !getcwd(here, sizeof here) || mkdir(".aws", 0700) < 0)
        return -1;
    return setenv("HOME", here, 1);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static struct err err;
static struct awsconf *conf;
static struct aws_key key;
static char origin[AWSCREDS_ORIGIN];

/* The chain with the present surroundings: 0 and key, or -1 and err. */
static int look(void)
{
    struct awscreds_params p = { 0 };
    struct awscreds *c;
    int rc = -1;

    err_clear(&err);
    aws_key_release(&key);
    awsconf_free(conf);
    conf = awsconf_load(&err);
    if (!conf)
        return -1;
    p.conf = conf;
    c = awscreds_new(&p, &err);
    assert_non_null(c);
    rc = awscreds_get(c, &key, &err);
    snprintf(origin, sizeof origin, "%s", awscreds_origin(c));
    awscreds_free(c);
    return rc;
}

static void clear(void)
{
    aws_key_release(&key);
    awsconf_free(conf);
    conf = NULL;
}

#define CREDENTIALS                                                                                \
    "# keys\n[default]\naws_access_key_id = DEFAULTID\naws_secret_access_key=default/secret+=\n\n" \
    "[prod]\r\naws_access_key_id=PRODID\r\naws_secret_access_key = prodsecret\r\naws_session_token = tok=en\r\n"

static void environment(void **state)
{
    (void)state;
    write_file(".aws/credentials", CREDENTIALS);
    setenv("AWS_ACCESS_KEY_ID", "ENVID", 1);
    assert_int_equal(look(), -1);
    assert_int_equal(err.class, ERR_CONFIG);
    assert_non_null(strstr(err.message, "AWS_SECRET_ACCESS_KEY"));
    setenv("AWS_SECRET_ACCESS_KEY", "envsecret", 1);
    setenv("AWS_PROFILE", "prod", 1);
    assert_int_equal(look(), 0);
    assert_string_equal(key.id, "ENVID");
    assert_string_equal(key.secret, "envsecret");
    assert_null(key.token);
    assert_int_equal(key.expires, 0);
    setenv("AWS_SESSION_TOKEN", "t", 1);
    assert_int_equal(look(), 0);
    assert_string_equal(key.token, "t");
    assert_non_null(strstr(origin, "AWS_ACCESS_KEY_ID"));
    clear();
}

static void profiles(void **state)
{
    (void)state;
    write_file(".aws/credentials", CREDENTIALS);
    write_file(".aws/config",
               "[profile only]\naws_access_key_id = CONFIGID\naws_secret_access_key = x\n"
               "[profile prod]\naws_access_key_id = LOSES\naws_secret_access_key = x\n[profile \"a b\"]\n"
               "aws_access_key_id = QUOTED\naws_secret_access_key = x\n");
    assert_int_equal(look(), 0);
    assert_string_equal(key.id, "DEFAULTID");
    assert_string_equal(key.secret, "default/secret+=");
    assert_non_null(strstr(origin, "/.aws/credentials"));
    setenv("AWS_PROFILE", "prod", 1);
    assert_int_equal(look(), 0);
    assert_string_equal(key.id, "PRODID");
    assert_string_equal(key.token, "tok=en");
    setenv("AWS_PROFILE", "only", 1);
    assert_int_equal(look(), 0);
    assert_string_equal(key.id, "CONFIGID");
    setenv("AWS_PROFILE", "a b", 1);
    assert_int_equal(look(), 0);
    assert_string_equal(key.id, "QUOTED");
    setenv("AWS_PROFILE", "nobody", 1);
    assert_int_equal(look(), -1);
    assert_non_null(strstr(err.message, "nobody"));
    clear();
}

static void files_named(void **state)
{
    (void)state;
    write_file("c", "[default]\naws_access_key_id = NAMED\naws_secret_access_key = x\n");
    setenv("AWS_SHARED_CREDENTIALS_FILE", "~/c", 1);
    assert_int_equal(look(), 0);
    assert_string_equal(key.id, "NAMED");
    if (getuid() != 0) {
        chmod("c", 0);
        assert_int_equal(look(), -1);
        assert_int_equal(err.class, ERR_CONFIG);
        assert_non_null(strstr(err.hint, "AWS_SHARED_CREDENTIALS_FILE"));
    }
    clear();
}

static void nothing(void **state)
{
    (void)state;
    assert_int_equal(look(), -1);
    assert_int_equal(err.class, ERR_CONFIG);
    assert_non_null(strstr(err.hint, "AWS_ACCESS_KEY_ID"));
    unsetenv("HOME");
    assert_int_equal(look(), -1);
    clear();
}

static void incomplete(void **state)
{
    static const char *const bad[][2] = {
        { "[default]\naws_access_key_id = X\n", "can't be credentials" },
        { "[default]\naws_access_key_id = X Y\naws_secret_access_key = z\n", "can't be credentials" },
        { "[default]\nrole_arn = arn:x\nsource_profile = nobody\n", "no source_profile nobody" },
        { "[default]\nrole_arn = arn:x\nsource_profile = other\n[profile other]\nregion = x\n", "has no keys" },
        { "[default]\nrole_arn = arn:x\nsource_profile = b\n[profile b]\nrole_arn = arn:y\nsource_profile = c\n[profile c]\n"
          "role_arn = arn:z\nsource_profile = b\n",
          "leads nowhere" },
        { "[default]\nrole_arn = arn:x\ncredential_source = Moon\n", "no credential_source Moon" },
        { "[default]\nrole_arn = arn:x\ncredential_source = Environment\n", "there are none" },
        { "[default]\nrole_arn = arn:x\nsource_profile = default\nmfa_serial = m\n", "mfa_serial" },
        { "[default]\ncredential_process = /bin/x\n", "credential_process" },
        { "[default]\nsso_session = x\n", "sso_session" },
        { "[default]\nweb_identity_token_file = /x\n", "no role" },
        { "[default]\nrole_arn = arn:x\nweb_identity_token_file = /nonexistent\n", "/nonexistent" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(".aws/config", bad[i][0]);
        assert_int_equal(look(), -1);
        assert_int_equal(err.class, ERR_CONFIG);
        if (!strstr(err.message, bad[i][1]))
            fail_msg("\"%s\" does not say \"%s\"", err.message, bad[i][1]);
    }
    clear();
}

static void values(void **state)
{
    char from[AWSCONF_ORIGIN];

    (void)state;
    write_file(".aws/config", "[default]\nregion = eu-west-1\nservices = mine\nendpoint_url = https://all\ns3 =\n"
                              "    addressing_style = path\n    other = x\nca_bundle=/ca\n[services mine]\ns3 =\n"
                              "  endpoint_url = https://s3.mine\nsts =\n\tendpoint_url = https://sts.mine\n");
    conf = awsconf_load(&err);
    assert_non_null(conf);
    assert_string_equal(awsconf_region(conf, from), "eu-west-1");
    assert_non_null(strstr(from, "/.aws/config"));
    assert_string_equal(awsconf_s3_endpoint(conf, from), "https://s3.mine");
    assert_string_equal(awsconf_sts_endpoint(conf, from), "https://sts.mine");
    assert_string_equal(awsconf_ca_bundle(conf, NULL), "/ca");
    assert_string_equal(awsconf_get(conf, "default", "s3.addressing_style", NULL), "path");
    setenv("AWS_DEFAULT_REGION", "two", 1);
    assert_string_equal(awsconf_region(conf, NULL), "two");
    setenv("AWS_REGION", "one", 1);
    assert_string_equal(awsconf_region(conf, from), "one");
    assert_string_equal(from, "AWS_REGION");
    setenv("AWS_ENDPOINT_URL", "https://env", 1);
    assert_string_equal(awsconf_s3_endpoint(conf, from), "https://env");
    setenv("AWS_ENDPOINT_URL_S3", "https://env3", 1);
    assert_string_equal(awsconf_s3_endpoint(conf, from), "https://env3");
    assert_string_equal(awsconf_sts_endpoint(conf, NULL), "https://env");
    setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
    assert_null(awsconf_s3_endpoint(conf, NULL));
    setenv("AWS_REGION", "", 1);
    assert_string_equal(awsconf_region(conf, NULL), "two");
    clear();
}

/* Anything may stand in a file: no crash, no memory of it. */
static void odd_files(void **state)
{
    static const char *const odd[] = {
        "",
        "\n\n",
        "[",
        "[]",
        "[default",
        "=",
        "a=b",
        "[default]\n=x\n",
        "[default]\n  indented = x\n",
        "[profile]\na=b",
        "[default]\ns3 =\n x = y\n\n z = w\n",
        "[profile \"]\na=b",
        "[default]\na\n",
        "\xFF\xFE[default]",
        ";c\n#d\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        write_file(".aws/config", odd[i]);
        write_file(".aws/credentials", odd[i]);
        assert_int_equal(look(), -1);
    }
    clear();
}

static void json(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"AccessKeyId\": 1}",
        "{\"AccessKeyId\":\"A\"}",
        "{\"Code\":\"Failed\"}",
        "{",
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"B\",\"Expiration\":\"soon\"}",
        "{\"AccessKeyId\":\"A\\n\",\"SecretAccessKey\":\"B\"}",
    };

    (void)state;
    err_clear(&err);
    assert_int_equal(
        awscreds_parse_json("{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"B\",\"Token\":\"C\","
                            "\"Expiration\":\"2030-01-01T00:00:00Z\"}",
                            "here", &key, &err),
        0);
    assert_string_equal(key.token, "C");
    assert_int_equal(key.expires, 1893456000);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err_clear(&err);
        assert_int_equal(awscreds_parse_json(bad[i], "here", &key, &err), -1);
        assert_int_equal(err.class, ERR_CONFIG);
    }
    clear();
}

static void plain_container(void **state)
{
    (void)state;
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.org/creds", 1);
    assert_int_equal(look(), -1);
    assert_non_null(strstr(err.message, "plain http"));
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23.example.org/creds", 1);
    assert_int_equal(look(), -1);
    assert_non_null(strstr(err.message, "plain http"));
    clear();
}

#define IN_AWS_DIR(sentence, function)                  \
    {                                                   \
        sentence, function, enter, unit_leave_dir, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_AWS_DIR("the environment comes first, and half of it is an error", environment),
        IN_AWS_DIR("profiles: credentials file before config, quotes, Windows lines; an unknown one is an error",
                   profiles),
        IN_AWS_DIR("files may have other names; one that can't be read is an error, with the variable to set",
                   files_named),
        IN_AWS_DIR("no credentials anywhere is an error of configuration that says where was looked", nothing),
        IN_AWS_DIR("what is incomplete or can't be done here ends in no other identity", incomplete),
        IN_AWS_DIR("region, endpoints, nested sections: variables before files, the service before all", values),
        IN_AWS_DIR("odd files are read in peace", odd_files),
        IN_AWS_DIR("credentials in JSON are complete or refused", json),
        IN_AWS_DIR("no secret is asked for in plain text over a network", plain_container),
    };
    return RUN_PROMISES(tests);
}
