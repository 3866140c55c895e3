/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <cjson/cJSON.h>

#include "core/backup/listing.h"

#define NOW 1761229935 /* 2025-10-23 14:32:15 */
#define HOSTILE "a\n\x1b[2J\xFF"

/* ---- helpers ------------------------------------------------------------------------------------------------- */

static struct buf out;

static int start(void **state)
{
    (void)state;
    buf_init(&out, 1024 * 1024);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_release(&out);
    return 0;
}

static void describe(struct manifest *m)
{
    struct err err = { 0 };

    manifest_init(m);
    manifest_set(&m->environment, "production", &err);
    manifest_set(&m->file, "backup-20251023-143215.dump", &err);
    m->started = NOW;
    m->expires = NOW + 30 * 86400;
    m->size = UINT64_C(1288490189);
    manifest_add_table(m, "public", "events", &err)->tally.rows = 1245678;
}

/* No control character but the newlines, no line over 80 columns but those that `may_be_long` says. */
static void assert_tidy(bool may_be_long)
{
    char *copy = strdup(out.data), *next = copy, *line;

    while ((line = strsep(&next, "\n")) != NULL) {
        for (char *c = line; *c; c++)
            assert_true((unsigned char)*c >= 0x20);
        if (!may_be_long && strlen(line) > 80)
            fail_msg("%zu columns: %s", strlen(line), line);
    }
    free(copy);
}

/* ---- promises ------------------------------------------------------------------------------------------------ */

static void ages(void **state)
{
    static const struct {
        time_t seconds;
        const char *text;
    } cases[] = {
        { -100, "now" },
        { 0, "now" },
        { 59, "now" },
        { 60, "1m" },
        { 89 * 60 + 59, "89m" },
        { 90 * 60, "1h" },
        { 47 * 3600, "47h" },
        { 48 * 3600, "2d" },
        { 729 * 86400, "729d" },
        { 730 * 86400, "2y" },
        { (time_t)1 << 40, "34865y" },
    };
    char text[LISTING_AGE];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(listing_age(text, NOW - cases[i].seconds, NOW), cases[i].text);
}

static void backups(void **state)
{
    struct catalog_item items[3] = {
        { .path = (char *)"/var/backups/shop/backup-20251023-143215.dump",
          .started = NOW,
          .size = 1288490189,
          .has_manifest = true },
        { .path = (char *)"/tmp/short-20251022-143215.dump", .started = NOW - 86400, .size = 3, .has_manifest = true },
        { .path = (char *)"/tmp/" HOSTILE "-20251022-143215.dump", .started = NOW - 3 * 86400, .size = 3 },
    };
    struct catalog c = { items, 3 };

    (void)state;
    describe(&items[0].manifest);
    describe(&items[1].manifest);
    items[1].manifest.expires = 0;
    listing_catalog(&out, &c, &(struct proofs){ NULL, 0 }, NOW + 7200);
    assert_string_equal(
        out.data, "TAKEN (UTC)        AGE  ENV        TIER        SIZE        ROWS  GOOD EXPIRES\n"
                  "2025-10-23 14:32    2h  production daily     1.2 GB   1,245,678  yes  2025-11-22\n"
                  "    /var/backups/shop/backup-20251023-143215.dump\n"
                  "2025-10-22 14:32   26h  production daily        3 B   1,245,678  no   never\n"
                  "    /tmp/short-20251022-143215.dump  (its size is not what its manifest says: damaged)\n"
                  "2025-10-20 14:32    3d  -          -            3 B           -  no   -\n"
                  "    /tmp/a\\n\\x1B[2J\\xFF-20251022-143215.dump  (no manifest: not finished, or not made by sfb)\n");
    assert_tidy(true);
    manifest_release(&items[0].manifest);
    manifest_release(&items[1].manifest);
}

static void add_drill(struct proofs *p, const char *environment, const char *name)
{
    struct err err = { 0 };

    assert_int_equal(proofs_add(p, environment, name, 0, &err), 0);
}

static void marks(void **state)
{
    struct catalog_item items[3] = {
        { .path = (char *)"s3://b/production/weekly/backup-20251023-143215.dump",
          .started = NOW,
          .size = 1288490189,
          .has_manifest = true },
        { .path = (char *)"/tmp/shop-backup-20251022-143215.dump",
          .started = NOW - 86400,
          .size = 1288490189,
          .has_manifest = true },
        { .path = (char *)"/tmp/alone-20251022-143215.dump", .started = NOW - 3 * 86400, .size = 3 },
    };
    struct catalog c = { items, 3 };
    struct proofs proofs = { 0 };
    struct err err = { 0 };

    (void)state;
    describe(&items[0].manifest);
    describe(&items[1].manifest);
    add_drill(&proofs, "production", "drill-20251023-150000-passed-backup-20251023-143215");
    add_drill(&proofs, "production", "drill-20251022-160000-passed-backup-20251022-143215");
    add_drill(&proofs, "production", "drill-20251022-180000-failed-backup-20251022-143215");
    add_drill(&proofs, "production", "drill-20251022-190000-unfinished-backup-20251022-143215");
    add_drill(&proofs, "staging", "drill-20251023-190000-failed-backup-20251023-143215");
    add_drill(&proofs, "production", "drill-20251022-190000-passed-alone-20251022-143215");
    listing_catalog(&out, &c, &proofs, NOW + 3 * 86400);
    assert_non_null(strstr(out.data, "/weekly/backup-20251023-143215.dump  (proven 2 days ago)\n"));
    assert_non_null(strstr(out.data, "/shop-backup-20251022-143215.dump  (drill failed 3 days ago)\n"));
    assert_non_null(strstr(out.data, "(no manifest: not finished, or not made by sfb)\n"));
    assert_tidy(true);
    buf_reset(&out);
    assert_int_equal(listing_catalog_json(&out, &c, &proofs, &err), 0);
    assert_non_null(strstr(out.data, "\"drill\":\t\"passed\",\n\t\t\"drilled\":\t\"2025-10-23T15:00:00Z\""));
    assert_non_null(strstr(out.data, "\"drill\":\t\"failed\""));
    proofs_release(&proofs);
    manifest_release(&items[0].manifest);
    manifest_release(&items[1].manifest);
}

static void contents(void **state)
{
    struct contents_table tables[] = {
        { (char *)"public", (char *)"events", true, 1245678, 1288490189 },
        { (char *)"we.ird", (char *)HOSTILE, true, 1, 2 },
        { (char *)"public", (char *)"inserts", false, 0, 0 },
    };
    struct contents c = { .path = (char *)"/tmp/x.dump",
                          .size = 297 * 1024 * 1024,
                          .database = (char *)"shop",
                          .server_version = (char *)"15.18",
                          .tool_version = (char *)"15.18",
                          .tables = tables,
                          .n = 3,
                          .objects = { 2, 4096, 0, 0 } };

    (void)state;
    listing_contents(&out, &c, NOW);
    assert_string_equal(out.data, "/tmp/x.dump\n"
                                  "   Database: shop\n"
                                  "   Server: 15.18\n"
                                  "   Dumped by: 15.18\n"
                                  "   Size: 297.0 MB\n"
                                  "\n"
                                  "            ROWS        SIZE  TABLE\n"
                                  "       1,245,678      1.2 GB  public.events\n"
                                  "               1         2 B  we.ird.a\\n\\x1B[2J\\xFF\n"
                                  "               -         0 B  public.inserts\n"
                                  "               2      4.0 KB  (large objects)\n"
                                  "\n"
                                  "       1,245,679      1.2 GB  in 3 tables, uncompressed\n");
    assert_tidy(false);
}

static void described(void **state)
{
    struct contents c = { .path = (char *)"x.dump",
                          .size = 5,
                          .database = (char *)HOSTILE,
                          .server_version = (char *)"15",
                          .tool_version = (char *)"pg_dump 15",
                          .has_manifest = true };

    (void)state;
    describe(&c.manifest);
    listing_contents(&out, &c, NOW + 3 * 86400);
    assert_non_null(strstr(out.data, "   Database: a\\n\\x1B[2J\\xFF\n"));
    assert_non_null(strstr(out.data, "   Taken: 2025-10-23 14:32:15 UTC (3d)\n"));
    assert_non_null(strstr(out.data, "   Environment: production, daily, expires 2025-11-22\n"));
    assert_non_null(strstr(out.data, "not the size that the manifest says"));
    assert_tidy(true);
    manifest_release(&c.manifest);
}

static void json(void **state)
{
    struct contents_table tables[] = {
        { (char *)"public", (char *)"events", true, UINT64_C(9007199254740991), 2 },
        { (char *)"public", (char *)HOSTILE, false, 0, 0 },
    };
    struct contents c = { .path = (char *)"x.dump",
                          .size = 5,
                          .database = (char *)"shop",
                          .server_version = (char *)"15",
                          .tool_version = (char *)"",
                          .tables = tables,
                          .n = 2 };
    struct catalog_item item = { .path = (char *)"/tmp/" HOSTILE, .started = NOW, .size = 3 };
    struct catalog catalog = { &item, 1 };
    struct err err = { 0 };
    cJSON *root, *list;

    (void)state;
    assert_int_equal(listing_contents_json(&out, &c, &err), 0);
    assert_non_null(strstr(out.data, "9007199254740991"));
    root = cJSON_Parse(out.data);
    list = cJSON_GetObjectItem(root, "tables");
    assert_int_equal(cJSON_GetArraySize(list), 2);
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(list, 0), "name")->valuestring, "events");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetArrayItem(list, 1), "rows")));
    cJSON_Delete(root);

    buf_reset(&out);
    assert_int_equal(listing_catalog_json(&out, &catalog, &(struct proofs){ NULL, 0 }, &err), 0);
    root = cJSON_Parse(out.data);
    assert_int_equal(cJSON_GetArraySize(root), 1);
    assert_string_equal(cJSON_GetObjectItem(root->child, "started")->valuestring, "2025-10-23T14:32:15Z");
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(root->child, "complete")));
    cJSON_Delete(root);
}

#define PROMISE_OUT(sentence, function)      \
    {                                        \
        sentence, function, start, end, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_OUT("an age is short, and never negative", ages),
        PROMISE_OUT("a backup is a line of 80 columns and its path, with what is wrong with it", backups),
        PROMISE_OUT("beside a backup stands how its newest drill ended, and when", marks),
        PROMISE_OUT("tables stand with rows and sizes; no name breaks a line", contents),
        PROMISE_OUT("a manifest tells when, where and until when", described),
        PROMISE_OUT("JSON is JSON, and its numbers are exact", json),
    };

    return RUN_PROMISES(tests);
}
