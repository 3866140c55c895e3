/* SPDX-License-Identifier: PostgreSQL */
/* auditing.c - which files, compared with whose manifests, told how. */
#include "core/backup/auditing.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backup/catalog.h"
#include "core/backup/repository.h"

/* ---- what names entries ------------------------------------------------------------------------------------------ */

static int mark_catalog(struct audit_check *check, const struct catalog *c, struct err *err)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct catalog_item *item = &c->items[i];

        if (item->has_manifest && *item->manifest.audit_head != '\0' &&
            audit_check_mark(check, item->path, item->manifest.audit_head, err) < 0)
            return -1;
    }
    return 0;
}

static int mark_cache(const char *directory, struct audit_check *check, struct err *err)
{
    struct catalog catalog;
    int rc;

    if (*directory == '\0' || access(directory, R_OK | X_OK) < 0)
        return 0;
    if (catalog_read(directory, NULL, &catalog, err) < 0)
        return -1;
    rc = mark_catalog(check, &catalog, err);
    catalog_release(&catalog);
    return rc;
}

static int mark_store(const struct auditing_params *p, struct audit_check *check, struct err *err)
{
    struct store *store = repository_open(p->settings, p->against, STORE_READ, err);
    struct catalog catalog;
    int rc = -1;

    if (store != NULL && repository_catalog(store, "", NULL, &catalog, err) == 0) {
        rc = mark_catalog(check, &catalog, err);
        catalog_release(&catalog);
    }
    store_close(store);
    return rc;
}

static int mark_all(const struct auditing_params *p, struct audit_check *check, struct err *err)
{
    if (p->head != NULL && audit_check_mark(check, "--head", p->head, err) < 0) {
        err_reclass(err, ERR_USAGE);
        err_hint(err, "it is what stands in brackets at the end of a syslog message: CHAIN:NUMBER:HASH");
        return -1;
    }
    if (mark_cache(settings_get(p->settings, SETTING_CACHE_DIR), check, err) < 0)
        return -1;
    return p->against != NULL ? mark_store(p, check, err) : 0;
}

/* ---- the report --------------------------------------------------------------------------------------------------- */

static void report_text(const struct audit_result *found, char *const *paths, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s\n", paths[i]);
    for (size_t i = 0; i < found->n; i++)
        buf_printf(out, "   %s %s\n", found->findings[i].damage ? "❌" : "📋", found->findings[i].text);
    if (found->n < found->damages)
        buf_printf(out, "   ❌ and more: %zu in all\n", found->damages);
    buf_printf(out, "   %" PRIu64 " entries", found->entries);
    if (found->entries > 0)
        buf_printf(out, ", %" PRIu64 " to %" PRIu64, found->first, found->last);
    if (found->marks > 0)
        buf_printf(out, "; %zu manifest%s one of them, and it is the same", found->marks,
                   found->marks == 1 ? " names" : "s name");
    buf_printf(out, "\n%s\n",
               found->damages == 0 ? "✅ Audit log verification successful" : "❌ Audit log verification failed");
}

static int report_json(const struct audit_result *found, char *const *paths, size_t n, struct buf *out, struct err *err)
{
    cJSON *object = cJSON_CreateObject(), *files = cJSON_AddArrayToObject(object, "files"), *list;
    char *text = NULL;

    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(files, cJSON_CreateString(paths[i]));
    cJSON_AddBoolToObject(object, "good", found->damages == 0);
    cJSON_AddNumberToObject(object, "entries", (double)found->entries);
    cJSON_AddNumberToObject(object, "first", (double)found->first);
    cJSON_AddNumberToObject(object, "last", (double)found->last);
    cJSON_AddNumberToObject(object, "named_by_manifests", (double)found->marks);
    list = cJSON_AddArrayToObject(object, "findings");
    for (size_t i = 0; i < found->n; i++) {
        cJSON *finding = cJSON_CreateObject();

        cJSON_AddBoolToObject(finding, "damage", found->findings[i].damage);
        cJSON_AddStringToObject(finding, "text", found->findings[i].text);
        cJSON_AddItemToArray(list, finding);
    }
    text = cJSON_Print(object);
    cJSON_Delete(object);
    if (text == NULL)
        return err_no_memory(err);
    buf_printf(out, "%s\n", text);
    free(text);
    return 0;
}

/* ---- in order ----------------------------------------------------------------------------------------------------- */

static int audit_files(const struct auditing_params *p, char *const *paths, size_t n, struct buf *report,
                       struct err *err)
{
    struct audit_check *check = audit_check_open((const char *const *)paths, n, err);
    struct audit_result found;
    int rc = -1;

    if (check == NULL || mark_all(p, check, err) < 0)
        goto out;
    rc = audit_check_judge(check, &found, err);
    if (!p->json)
        report_text(&found, paths, n, report);
    else if (report_json(&found, paths, n, report, err) < 0)
        rc = -1;
    if (buf_check(report, err) < 0)
        rc = -1;
    audit_result_release(&found);
out:
    audit_check_free(check);
    return rc;
}

int auditing_run(const struct auditing_params *p, struct buf *report, struct err *err)
{
    const char *directory = settings_get(p->settings, SETTING_LOG_DIR), *app = settings_get(p->settings, SETTING_APP);
    char **paths = NULL;
    size_t n = 0;
    int rc = -1;

    if (p->n > 0)
        return audit_files(p, p->paths, p->n, report, err);
    paths = audit_check_find_files(directory, app, &n, err);
    if (paths != NULL && n > 0) {
        rc = audit_files(p, paths, n, report, err);
    } else if (paths != NULL) {
        err_set(err, ERR_NOT_FOUND, "there is no audit log %s/%s-audit.jsonl", directory, app);
        err_hint(err, "`sfb config` shows SFB_LOG_DIR and SFB_APP; or name the file");
    }
    audit_check_free_files(paths);
    return rc;
}
