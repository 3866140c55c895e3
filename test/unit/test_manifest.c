/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <cjson/cJSON.h>

#include "core/backup/manifest.h"
#include "core/base/text.h"

#define NOW 1761229935 /* 2025-10-23 14:32:15 */
#define MD5 "0123456789abcdef0123456789abcdef"
#define SHA256 MD5 "fedcba9876543210fedcba9876543210"
#define LATIN1 "caf\xE9" /* no UTF-8 */

static char *schema_path; /* from the directory in which the tests were started */

/* ---- helpers ------------------------------------------------------------------------------------------------- */

/* A manifest with something of everything. */
static void fill(struct manifest *m)
{
    struct err err = { 0 };
    struct manifest_table *t;

    manifest_init(m);
    manifest_set(&m->app, "shop", &err);
    manifest_set(&m->environment, "production", &err);
    manifest_set(&m->file, "backup-20251023-143215.dump", &err);
    manifest_set(&m->globals_file, "backup-20251023-143215.globals.sql", &err);
    manifest_set(&m->sfb_version, "0.1.0", &err);
    manifest_set(&m->tool_version, "pg_dump 15.18", &err);
    manifest_set(&m->host, "db\"1\"\n", &err);
    manifest_set(&m->user, "ubuntu", &err);
    manifest_set(&m->audit_head, "9f86d081884c7d65:17:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                 &err);
    manifest_set(&m->database.name, "sh\\op\xC3\xA4 \x7F\x01", &err);
    manifest_set(&m->database.owner, LATIN1, &err);
    manifest_set(&m->database.lsn, "16/B374D848", &err);
    m->database.server_version_num = 150018;
    m->database.size = 9007199254740991;
    m->tier = TIER_MONTHLY;
    m->method = METHOD_ZSTD;
    m->level = -1;
    m->started = NOW;
    m->snapshot_at = NOW + 1;
    m->finished = NOW + 206;
    m->dump_seconds = 203.4567;
    m->size = UINT64_C(4503599627370497);
    memcpy(m->md5, MD5, sizeof MD5);
    memcpy(m->sha256, SHA256, sizeof SHA256);
    memcpy(m->globals_sha256, SHA256, sizeof SHA256);
    m->contents_size = 4711;
    memcpy(m->contents_sha256, SHA256, sizeof SHA256);
    m->retention_days = 30;
    m->expires = NOW + 30 * 86400;
    t = manifest_add_table(m, "public", "events", &err);
    t->tally = (struct tally){ 9007199254740991, 7, UINT64_MAX, 1 };
    manifest_add_column(t, "id", &err);
    manifest_add_column(t, LATIN1, &err);
    manifest_add_column(t, "a\nb", &err);
    manifest_add_table(m, LATIN1, "no columns", &err);
    m->large_objects = (struct tally){ 2, 3, 4, 5 };
    manifest_add_extension(m, "plpgsql", "1.0", &err);
    assert_int_equal(err.class, ERR_NONE);
}

static char *written(const struct manifest *m)
{
    struct err err = { 0 };
    struct buf out;

    buf_init(&out, MANIFEST_MAX);
    if (manifest_write(m, &out, &err) < 0)
        fail_msg("%s", err.message);
    return buf_take(&out, &err);
}

static char *sample(void)
{
    struct manifest m;
    char *text;

    fill(&m);
    text = written(&m);
    manifest_release(&m);
    return text;
}

static void assert_damaged(const char *text, size_t n, const char *part)
{
    struct err err = { 0 };
    struct manifest m;

    assert_int_equal(manifest_parse(text, n, &m, &err), -1);
    assert_int_equal(err.class, ERR_DAMAGED);
    if (!strstr(err.message, part))
        fail_msg("\"%s\" is not in: %s", part, err.message);
    manifest_release(&m); /* does no harm */
}

/* The sample with a member (of the object at `at`, NULL: the root) replaced, or removed when value is NULL. */
static void assert_damaged_with(const char *at, const char *name, const char *value, const char *part)
{
    char *text = sample(), *changed;
    cJSON *root = cJSON_Parse(text), *object = root;

    if (at)
        object = cJSON_GetObjectItemCaseSensitive(root, at);
    if (cJSON_IsArray(object))
        object = object->child;
    assert_non_null(cJSON_GetObjectItemCaseSensitive(object, name));
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    if (value)
        cJSON_AddRawToObject(object, name, value);
    changed = cJSON_Print(root);
    assert_damaged(changed, strlen(changed), part);
    free(changed);
    cJSON_Delete(root);
    free(text);
}

/* ---- round trip ---------------------------------------------------------------------------------------------- */

static void round_trip(void **state)
{
    struct err err = { 0 };
    struct manifest m;
    char *text = sample(), *again;

    (void)state;
    assert_int_equal(manifest_parse(text, strlen(text), &m, &err), 0);
    assert_string_equal(m.host, "db\"1\"\n");
    assert_string_equal(m.database.name, "sh\\op\xC3\xA4 \x7F\x01");
    assert_string_equal(m.database.owner, LATIN1);
    assert_string_equal(m.label, "");
    assert_int_equal(m.tier, TIER_MONTHLY);
    assert_int_equal(m.method, METHOD_ZSTD);
    assert_int_equal(m.level, -1);
    assert_true(m.size == UINT64_C(4503599627370497));
    assert_true(m.database.size == UINT64_C(9007199254740991));
    assert_true(m.started == NOW && m.snapshot_at == NOW + 1 && m.finished == NOW + 206);
    assert_true(m.expires == NOW + 30 * 86400);
    assert_true(m.dump_seconds > 203.4565 && m.dump_seconds < 203.4575);
    assert_string_equal(m.sha256, SHA256);
    assert_true(m.contents_size == 4711);
    assert_string_equal(m.contents_sha256, SHA256);
    assert_string_equal(m.data_sha256, "");
    assert_int_equal(m.n_tables, 2);
    assert_true(m.tables[0].tally.rows == UINT64_C(9007199254740991));
    assert_true(m.tables[0].tally.high == UINT64_MAX && m.tables[0].tally.low == 1);
    assert_int_equal(m.tables[0].n_columns, 3);
    assert_string_equal(m.tables[0].columns[1], LATIN1);
    assert_string_equal(m.tables[1].schema, LATIN1);
    assert_int_equal(m.tables[1].n_columns, 0);
    assert_true(m.large_objects.rows == 2 && m.large_objects.high == 4);
    assert_string_equal(m.extensions[0].version, "1.0");
    again = written(&m);
    assert_string_equal(again, text); /* stable order, nothing lost */
    free(again);
    free(text);
    manifest_release(&m);
}

static void forever(void **state)
{
    struct err err = { 0 };
    struct manifest m, back;
    char *text;

    (void)state;
    fill(&m);
    m.retention_days = 0;
    m.expires = 0;
    manifest_set(&m.globals_file, "", &err);
    m.globals_sha256[0] = '\0';
    text = written(&m);
    assert_non_null(strstr(text, "\"expires\":\tnull"));
    assert_int_equal(manifest_parse(text, strlen(text), &back, &err), 0);
    assert_true(back.expires == 0 && back.retention_days == 0);
    assert_string_equal(back.globals_file, "");
    free(text);
    manifest_release(&m);
    manifest_release(&back);
}

static void many_tables(void **state)
{
    struct err err = { 0 };
    struct manifest m, back;
    char name[32], *text;

    (void)state;
    fill(&m);
    m.tables[0].tally.rows = 0;
    for (int i = 0; i < 5000; i++) {
        struct manifest_table *t;
        snprintf(name, sizeof name, "table %d", i);
        t = manifest_add_table(&m, "many", name, &err);
        assert_non_null(t);
        t->tally.rows = (uint64_t)i;
        for (int j = 0; j < 20; j++)
            assert_int_equal(manifest_add_column(t, name, &err), 0);
    }
    text = written(&m);
    assert_int_equal(manifest_parse(text, strlen(text), &back, &err), 0);
    assert_int_equal(back.n_tables, 5002);
    assert_true(manifest_rows(&back) == manifest_rows(&m));
    assert_true(manifest_find_table(&back, "many", "table 4999")->tally.rows == 4999);
    assert_null(manifest_find_table(&back, "other", "table 4999"));
    free(text);
    manifest_release(&m);
    manifest_release(&back);
}

static void unknown_members(void **state)
{
    struct err err = { 0 };
    struct manifest m;
    char *text = sample();
    struct buf more;

    (void)state;
    buf_init(&more, MANIFEST_MAX);
    buf_printf(&more, "{\"future\": {\"deep\": [[1, {}]]}, %s", strchr(text, '{') + 1);
    assert_int_equal(manifest_parse(more.data, more.size, &m, &err), 0);
    manifest_release(&m);
    buf_release(&more);
    free(text);
}

/* Python's own validator, where it is installed: ours would make the same mistakes twice. */
static void schema(void **state)
{
    char command[1024], *text;
    FILE *f;

    (void)state;
    if (system("python3 -c 'import jsonschema' 2>/dev/null") != 0) {
        print_message("# the schema is not checked: python3-jsonschema is not installed\n");
        return;
    }
    text = sample();
    f = fopen("m.json", "w");
    fputs(text, f);
    fclose(f);
    snprintf(command, sizeof command,
             "python3 -W ignore -c 'import json, jsonschema, sys\n"
             "s = json.load(open(sys.argv[1])); jsonschema.Draft202012Validator.check_schema(s)\n"
             "v = jsonschema.Draft202012Validator(s); m = json.load(open(\"m.json\")); v.validate(m)\n"
             "assert m[\"totals\"] == {\"tables\": 2, \"rows\": 9007199254740991, \"bytes\": 7}\n"
             "for d in (m, m[\"database\"], m[\"totals\"], m[\"large_objects\"], m[\"tables\"][0]):\n"
             "    for k in list(d):\n" /* every member is required, and has a shape */
             "        kept = d.pop(k); assert not v.is_valid(m), k\n"
             "        d[k] = [[]]; assert not v.is_valid(m), k\n"
             "        d[k] = kept\n"
             "v.validate(m)' '%s'",
             schema_path);
    assert_int_equal(system(command), 0);
    free(text);
}

/* ---- refusals ------------------------------------------------------------------------------------------------ */

static void missing_members(void **state)
{
    char *text = sample();
    cJSON *root = cJSON_Parse(text), *item;
    char quoted[64];

    (void)state;
    cJSON_ArrayForEach(item, root)
    {
        snprintf(quoted, sizeof quoted, "\"%s\" is missing", item->string);
        if (strcmp(item->string, "totals") != 0) /* told, but not needed */
            assert_damaged_with(NULL, item->string, NULL, quoted);
    }
    assert_damaged_with("database", "encoding", NULL, "\"database.encoding\" is missing");
    assert_damaged_with("tables", "rows", NULL, "\"tables[0].rows\" is missing");
    assert_damaged_with("extensions", "name", NULL, "\"extensions[0].name\" is missing");
    assert_damaged_with("large_objects", "fingerprint", NULL, "\"large_objects.fingerprint\" is missing");
    cJSON_Delete(root);
    free(text);
}

static void wrong_values(void **state)
{
    static const struct {
        const char *at, *name, *value;
    } cases[] = {
        { NULL, "app", "7" },
        { NULL, "app", "null" },
        { NULL, "app", "{}" },
        { NULL, "app", "{\"hex\": \"6\"}" },
        { NULL, "app", "{\"hex\": \"\"}" },
        { NULL, "app", "{\"hex\": \"6100\"}" },
        { NULL, "app", "{\"hex\": \"xx\"}" },
        { NULL, "tier", "\"yearly\"" },
        { NULL, "format", "\"tar\"" },
        { NULL, "method", "2" },
        { NULL, "size", "-1" },
        { NULL, "size", "1.5" },
        { NULL, "size", "9007199254740992" },
        { NULL, "size", "1e300" },
        { NULL, "size", "1e999" },
        { NULL, "size", "\"12\"" },
        { NULL, "size", "true" },
        { NULL, "level", "3000000000" },
        { NULL, "level", "1000" },
        { NULL, "retention_days", "-1" },
        { NULL, "dump_seconds", "-0.5" },
        { NULL, "dump_seconds", "\"1\"" },
        { NULL, "started", "\"yesterday\"" },
        { NULL, "started", "\"2025-10-23T14:32:15+02:00\"" },
        { NULL, "started", "\"2025-13-23T14:32:15Z\"" },
        { NULL, "started", "null" },
        { NULL, "md5", "\"\"" },
        { NULL, "md5", "\"0123456789ABCDEF0123456789ABCDEF\"" },
        { NULL, "sha256", "\"" MD5 "\"" },
        { NULL, "sha256", "\"" SHA256 "0\"" },
        { NULL, "globals_sha256", "\"\"" },  /* but there is a globals file */
        { NULL, "contents_sha256", "\"\"" }, /* but there is a size */
        { NULL, "contents_sha256", "\"" MD5 "\"" },
        { NULL, "contents_size", "-1" },
        { NULL, "data_sha256", "\"" MD5 "\"" },
        { NULL, "file", "\"../../etc/passwd\"" },
        { NULL, "file", "\"..\"" },
        { NULL, "file", "\"\"" },
        { NULL, "globals_file", "\"/etc/passwd\"" },
        { NULL, "tables", "{}" },
        { NULL, "tables", "[1]" },
        { NULL, "extensions", "7" },
        { NULL, "database", "[]" },
        { "tables", "columns", "\"id\"" },
        { "tables", "columns", "[1]" },
        { "tables", "fingerprint", "\"00\"" },
        { "tables", "rows", "null" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_damaged_with(cases[i].at, cases[i].name, cases[i].value, cases[i].name);
    assert_damaged_with(NULL, "manifest_version", "2", "this version of sfb does not know");
}

static void twice(void **state)
{
    char *text = sample();
    struct buf more;

    (void)state;
    buf_init(&more, MANIFEST_MAX);
    buf_printf(&more, "{\"size\": 1, %s", strchr(text, '{') + 1);
    assert_damaged(more.data, more.size, "\"size\" stands there twice");
    buf_release(&more);
    free(text);
}

static void cut(void **state)
{
    char *text = sample();
    size_t n = strlen(text);

    (void)state;
    for (size_t i = 0; i + 2 < n; i++) { /* the last two: } and a newline */
        char *part = malloc(i + 1);      /* exactly as long, so that reading beyond is seen */
        memcpy(part, text, i);
        assert_damaged(part, i, "");
        free(part);
    }
    free(text);
}

static void bytes_changed(void **state)
{
    char *text = sample();
    size_t n = strlen(text);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        static const char with[] = "\0\"\\{[,:9\xFF";
        char kept = text[i];
        for (size_t j = 0; j < sizeof with - 1; j++) {
            struct err err = { 0 };
            struct manifest m;
            text[i] = with[j];
            if (manifest_parse(text, n, &m, &err) == 0) /* whatever it is, it can be written again */
                free(written(&m));
            else
                assert_int_equal(err.class, ERR_DAMAGED);
            manifest_release(&m);
        }
        text[i] = kept;
    }
    free(text);
}

static void no_manifest_at_all(void **state)
{
    static const char *const cases[] = { "", " ", "{}", "[]", "7", "\"x\"", "null", "{", "{}x", "{\"a\":\"\\u0000\"}" };
    char *deep = malloc(200001);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_damaged(cases[i], strlen(cases[i]), "manifest");
    assert_damaged("{\"a\": \"x\0y\"}", 12, "NUL");
    memset(deep, '[', 200000);
    assert_damaged(deep, 200000, "no JSON");
    memset(deep, ',', 200000);
    assert_damaged(deep, 200000, "no JSON");
    free(deep);
}

static void too_much(void **state)
{
    size_t n = MANIFEST_MAX + 1;
    char *text = malloc(n);

    (void)state;
    memset(text, ' ', n);
    assert_damaged(text, n, "larger than 256 MB");
    memset(text, ',', n);
    text[0] = '[';
    assert_damaged(text, n - 1, "values"); /* before memory is taken for each */
    free(text);
}

static void loading(void **state)
{
    struct err err = { 0 };
    struct manifest m;
    FILE *f;

    (void)state;
    assert_int_equal(manifest_load("missing.json", &m, &err), -1);
    assert_int_equal(err.class, ERR_NOT_FOUND);
    err_clear(&err);
    f = fopen("m.json", "w");
    fputs("{}", f);
    fclose(f);
    assert_int_equal(manifest_load("m.json", &m, &err), -1);
    assert_int_equal(err.class, ERR_DAMAGED);
    assert_non_null(strstr(err.message, "m.json: "));
    err_clear(&err);
    assert_int_equal(truncate("m.json", (off_t)MANIFEST_MAX + 1), 0);
    assert_int_equal(manifest_load("m.json", &m, &err), -1);
    assert_int_equal(err.class, ERR_DAMAGED);
}

/* Its beginning was written last: two sums instead of one. */
static void streamed(void **state)
{
    struct err err = { 0 };
    struct manifest m, back;
    struct buf out;

    (void)state;
    fill(&m);
    m.md5[0] = m.sha256[0] = '\0';
    buf_init(&out, MANIFEST_MAX);
    assert_int_equal(manifest_write(&m, &out, &err), -1); /* none at all */
    err_clear(&err);
    memcpy(m.data_sha256, SHA256, sizeof SHA256);
    assert_int_equal(manifest_write(&m, &out, &err), 0);
    assert_int_equal(manifest_parse(out.data, out.size, &back, &err), 0);
    assert_string_equal(back.data_sha256, SHA256);
    assert_string_equal(back.sha256, "");
    manifest_release(&back);
    m.contents_size = 0; /* of what then? */
    m.contents_sha256[0] = '\0';
    buf_reset(&out);
    assert_int_equal(manifest_write(&m, &out, &err), -1);
    buf_release(&out);
    manifest_release(&m);
}

static void not_written(void **state)
{
    struct manifest m;

    (void)state;
    for (int i = 0; i < 7; i++) {
        struct err err = { 0 };
        struct buf out;

        fill(&m);
        if (i == 0)
            m.size = UINT64_C(9007199254740992);
        else if (i == 1)
            m.tables[0].tally.rows = UINT64_MAX;
        else if (i == 2)
            m.sha256[0] = '\0';
        else if (i == 3)
            manifest_set(&m.file, "a/b", &err);
        else if (i == 4)
            m.dump_seconds = -1;
        else if (i == 5)
            m.tables[1].tally.rows = 1; /* together with the first's it is too much */
        else
            manifest_set(&m.file, "", &err);
        buf_init(&out, MANIFEST_MAX);
        assert_int_equal(manifest_write(&m, &out, &err), -1);
        assert_int_equal(err.class, ERR_INTERNAL);
        buf_release(&out);
        manifest_release(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("what is written comes back, byte for byte, names that are no UTF-8 too", round_trip),
        PROMISE("a backup that is kept forever has no expiry", forever),
        PROMISE("5,000 tables are no trouble", many_tables),
        PROMISE("members that a later version adds are ignored", unknown_members),
        PROMISE_IN_DIR("the schema fits what is written, and asks for each member", schema),
        PROMISE("a missing member is told by its name", missing_members),
        PROMISE("a value that can't be is told by its name", wrong_values),
        PROMISE("a member that stands there twice is refused", twice),
        PROMISE("a manifest that is cut anywhere is damaged", cut),
        PROMISE("a changed byte is refused, or gives a manifest that can be written", bytes_changed),
        PROMISE("what is no manifest is damaged, however deep", no_manifest_at_all),
        PROMISE("size and number of values have a limit", too_much),
        PROMISE_IN_DIR("a missing manifest is told apart from a damaged one", loading),
        PROMISE("what was streamed has two checksums for one, and not none", streamed),
        PROMISE("what could not be read again is not written", not_written),
    };

    schema_path = realpath("packaging/manifest.schema.json", NULL);
    if (!schema_path)
        return 1;
    return RUN_PROMISES(tests);
}
