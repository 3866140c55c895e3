/* SPDX-License-Identifier: PostgreSQL */
/* config.c - every setting: what it is, where that comes from, what it means. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/applet.h"
#include "core/backup/places.h"
#include "core/backup/repository.h"
#include "core/backup/settings.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/watch/alert.h"

static const char usage[] = "config [--check] [--json]\n"
                            "\n"
                            "Print every setting with its value, what it means and where the value comes\n"
                            "from. An option beats the environment, the environment beats the settings\n"
                            "file, the file beats the default. Passwords are shown as ***.\n";

static const char examples[] = "# Which database will be backed up, and who said so?\n"
                               "sfb config\n"
                               "# Are directories, numbers and URLs of this file usable? This connects nowhere\n"
                               "sfb config --check --config /etc/sfb.env\n";

static struct {
    bool check, json;
} opt;

static const struct opt options[] = {
    OPT_FLAG(0, "check", &opt.check, "look whether the settings can be used, and make directories"),
    OPT_FLAG(0, "json", &opt.json, "print the settings as JSON"),
    OPT_END,
};

static const struct exit_map exits[] = {
    { ERR_CONFIG, 6, "a setting is wrong, or wrong usage" },
    { ERR_USAGE, 6, NULL },
    { ERR_NONE, 1, "anything else" },
    EXITS_END,
};

static const char *origin_name(const struct settings *s, enum setting which)
{
    switch (settings_origin(s, which)) {
    case FROM_ENVIRONMENT:
        return "environment";
    case FROM_FILE:
        return settings_file(s);
    default:
        return "default";
    }
}

static int print_text(const struct settings *s, struct err *err)
{
    struct buf out, value;
    int rc = -1;

    buf_init(&out, 4 * 1024 * 1024);
    buf_init(&value, 1024 * 1024);
    for (int i = 0; i < SETTING_COUNT; i++) {
        enum setting which = (enum setting)i;

        buf_reset(&value);
        settings_show(&value, s, which);
        buf_printf(&out, "%-24s ", settings_name(which));
        if (value.size > 0)
            text_visible(&out, value.data);
        else
            buf_puts(&out, "(empty)");
        buf_printf(&out, "\n    %s\n    from: %s\n", settings_help(which), origin_name(s, which));
    }
    if (buf_check(&value, err) < 0 || buf_check(&out, err) < 0)
        goto out;
    fputs(out.data, stdout);
    rc = 0;
out:
    buf_release(&out);
    buf_release(&value);
    return rc;
}

static int print_json(const struct settings *s, struct err *err)
{
    cJSON *root = cJSON_CreateObject();
    char *text = NULL;
    struct buf value;
    int rc = -1;

    buf_init(&value, 1024 * 1024);
    for (int i = 0; root && i < SETTING_COUNT; i++) {
        enum setting which = (enum setting)i;
        cJSON *one = cJSON_AddObjectToObject(root, settings_name(which));

        buf_reset(&value);
        settings_show(&value, s, which);
        if (buf_check(&value, err) < 0)
            goto out;
        cJSON_AddStringToObject(one, "value", value.data);
        cJSON_AddStringToObject(one, "from", origin_name(s, which));
        cJSON_AddBoolToObject(one, "secret", settings_is_secret(which));
        cJSON_AddStringToObject(one, "help", settings_help(which));
    }
    text = root ? cJSON_Print(root) : NULL;
    if (!text) {
        err_no_memory(err);
        goto out;
    }
    puts(text);
    rc = 0;
out:
    free(text);
    cJSON_Delete(root);
    buf_release(&value);
    return rc;
}

/* An environment that nobody configured is none; one that is configured wrongly is an error. */
static int check_target(const struct settings *s, const char *environment, enum setting url, struct err *err)
{
    struct target *t;

    if (!*settings_get(s, url) && (url == SETTING_STAGING_URL || !*settings_get(s, SETTING_DATABASE_URL)))
        return 0;
    t = places_target(s, environment, err);
    target_free(t);
    return t ? 0 : -1;
}

/* Its URL alone: nobody is asked. */
static int check_store(const struct settings *s, struct err *err)
{
    struct store *store;

    if (!*settings_get(s, SETTING_BUCKET))
        return 0;
    store = repository_open(s, NULL, STORE_READ, err);
    store_close(store);
    return store ? 0 : -1;
}

static void note_no_database(const struct settings *s)
{
    if (!*settings_get(s, SETTING_PRODUCTION_URL) && !*settings_get(s, SETTING_STAGING_URL) &&
        !*settings_get(s, SETTING_DATABASE_URL))
        log_say("➖ No database is set: %s names the one to back up", settings_name(SETTING_PRODUCTION_URL));
}

static int check(const struct settings *s, struct err *err)
{
    struct places places;

    if (settings_numbers(s, err) < 0 || alert_check(s, err) < 0 ||
        check_target(s, "production", SETTING_PRODUCTION_URL, err) < 0 ||
        check_target(s, "staging", SETTING_STAGING_URL, err) < 0 || check_store(s, err) < 0 ||
        places_open(s, &places, err) < 0)
        return -1;
    places_release(&places);
    note_no_database(s);
    log_say("✅ The settings can be used");
    return 0;
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    if (argc > 0)
        return err_set(err, ERR_USAGE, "config takes no operand, but \"%s\" was given", argv[0]);
    if (opt.check)
        return check(ctx->settings, err);
    return opt.json ? print_json(ctx->settings, err) : print_text(ctx->settings, err);
}

APPLET(config, .summary = "print the settings and where they come from", .usage = usage, .examples = examples,
       .options = options, .exits = exits, .wants_settings = true, .run = run);
