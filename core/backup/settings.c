/* SPDX-License-Identifier: PostgreSQL */
/* settings.c - what the surroundings say: environment variables and the settings file. */
#include "core/backup/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backup/settings_file.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"

#define DEFAULT_FILE "/etc/sfb.env"
#define OWN_PREFIX "SFB_"

static const struct {
    const char *name, *fallback;
    int secret; /* enum setting_secrecy */
    const char *help;
} table[SETTING_COUNT] = {
#define SETTING(id, name, fallback, secret, help) { name, fallback, secret, help },
#include "core/backup/settings_table.h"
#undef SETTING
};

struct settings {
    char *values[SETTING_COUNT];
    enum setting_origin origins[SETTING_COUNT];
    char *file;       /* NULL: none was read */
    bool file_lost;   /* it could not be read at all: what it says is not known */
    bool file_secret; /* a line of the file holds something that is masked */
};

/* ---- names --------------------------------------------------------------------------------------------------- */

const char *settings_name(enum setting which)
{
    return table[which].name;
}

const char *settings_help(enum setting which)
{
    return table[which].help;
}

enum setting_secrecy settings_secrecy(enum setting which)
{
    return (enum setting_secrecy)table[which].secret;
}

bool settings_is_secret(enum setting which)
{
    return settings_secrecy(which) != SETTING_PLAIN;
}

static int find(const char *name)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        if (strcmp(table[i].name, name) == 0)
            return i;
    return -1;
}

/* The setting that somebody who wrote `name` may have meant; NULL when none is near. */
static const char *meant(const char *name, unsigned within)
{
    const char *nearest = NULL;

    for (int i = 0; i < SETTING_COUNT; i++) {
        unsigned distance = text_distance(name, table[i].name);
        if (distance <= within) {
            nearest = table[i].name;
            within = distance - (distance > 0);
        }
    }
    return nearest;
}

/* ---- loading ------------------------------------------------------------------------------------------------- */

static int set(struct settings *s, enum setting which, const char *value, enum setting_origin origin, struct err *err)
{
    char *copy = strdup(value);

    if (!copy)
        return err_no_memory(err);
    if (s->values[which])
        text_wipe(s->values[which], strlen(s->values[which]));
    free(s->values[which]);
    s->values[which] = copy;
    s->origins[which] = origin;
    return 0;
}

/* Not ours, but everybody's idea of a secret: for the warning about a file that everybody may read. */
static bool foreign_secret(const char *name)
{
    return strcmp(name, "PGPASSWORD") == 0 || strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0 ||
           strcmp(name, "AWS_SESSION_TOKEN") == 0;
}

static bool holds_secret(enum setting which, const char *value)
{
    struct buf shown;
    bool differs;

    if (settings_secrecy(which) == SETTING_SECRET)
        return *value != '\0';
    buf_init(&shown, 2 * SETTINGS_FILE_MAX);
    settings_mask(&shown, value);
    differs = shown.failed || strcmp(shown.data, value) != 0;
    buf_release(&shown);
    return differs;
}

static int take(void *cookie, unsigned line, const char *name, const char *value, struct err *err)
{
    struct settings *s = cookie;
    const char *nearest;
    int which = find(name);

    if (which >= 0) {
        if (table[which].secret && holds_secret((enum setting)which, value))
            s->file_secret = true;
        return set(s, (enum setting)which, value, FROM_FILE, err);
    }
    if (text_starts(name, OWN_PREFIX)) {
        err_set(err, ERR_CONFIG, "%s, line %u: there is no setting %s", s->file, line, name);
        nearest = meant(name, 3);
        if (nearest)
            err_hint(err, "did you mean %s? `sfb config` shows all settings", nearest);
        else
            err_hint(err, "`sfb config` shows all settings");
        return -1;
    }
    nearest = meant(name, 2);
    if (nearest)
        log_warn("%s, line %u: %s is no setting of sfb; did you mean %s?", s->file, line, name, nearest);
    if (foreign_secret(name) && *value)
        s->file_secret = true;
    if (setenv(name, value, 0) < 0)
        return err_set(err, ERR_INTERNAL, "can't set %s in the environment: %s", name, strerror(errno));
    return 0;
}

static int load_file(struct settings *s, const char *path, struct err *err)
{
    struct buf text;
    bool public = false;
    int rc = -1;

    buf_init(&text, SETTINGS_FILE_MAX + 2);
    s->file = strdup(path);
    if (!s->file) {
        err_no_memory(err);
        goto out;
    }
    s->file_lost = settings_file_read(path, &text, &public, err) < 0;
    if (s->file_lost || settings_file_parse(text.data, text.size, path, take, s, err) < 0)
        goto out;
    if (public && s->file_secret)
        log_warn("the settings file %s holds a password and everybody may read it; chmod 600 %s", path, path);
    rc = 0;
out:
    if (text.size > 0)
        text_wipe(text.data, text.size);
    buf_release(&text);
    return rc;
}

static int load_environment(struct settings *s, struct err *err)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *value = getenv(table[i].name);
        if (value && set(s, (enum setting)i, value, FROM_ENVIRONMENT, err) < 0)
            return -1;
    }
    for (char **e = environ; e && *e; e++) { /* a name that is nearly one of ours would be missed silently */
        size_t n = strcspn(*e, "=");
        char name[64];

        if (!text_starts(*e, OWN_PREFIX) || n >= sizeof name)
            continue;
        memcpy(name, *e, n);
        name[n] = '\0';
        if (find(name) < 0 && meant(name, 2))
            log_warn("the environment has %s, which is no setting; did you mean %s?", name, meant(name, 2));
    }
    return 0;
}

/* The name becomes part of paths, keys and messages. */
static int check_app(const struct settings *s, struct err *err)
{
    const char *app = s->values[SETTING_APP] ? s->values[SETTING_APP] : "";
    size_t n = strspn(app, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    if (n > 0 && n <= 64 && !app[n] && *app != '.' && *app != '-')
        return 0;
    err_set(err, ERR_CONFIG, "SFB_APP is \"%s\": it becomes a part of file names, which it can't", app);
    err_hint(err, "use at most 64 letters, digits, dots, dashes and underscores, a letter or digit first");
    return -1;
}

/* The default with the application's name in it; "" when nobody knows the name: somebody else's directory is no default. */
static int fill_default(struct settings *s, enum setting which, bool app_known, struct err *err)
{
    static const char app_mark[] = "${APP}";
    const char *from = table[which].fallback, *mark;
    struct buf value;
    int rc;

    if (!app_known && strstr(from, app_mark))
        from = "";
    buf_init(&value, 4096);
    while ((mark = strstr(from, app_mark)) != NULL) {
        buf_add(&value, from, (size_t)(mark - from));
        buf_puts(&value, s->values[SETTING_APP]);
        from = mark + strlen(app_mark);
    }
    buf_puts(&value, from);
    rc = buf_check(&value, err);
    if (rc == 0)
        rc = set(s, which, value.data, FROM_DEFAULT, err);
    buf_release(&value);
    return rc;
}

static int fill_defaults(struct settings *s, struct err *err)
{
    bool known = s->values[SETTING_APP] || !s->file_lost;
    int rc = 0;

    if (!s->values[SETTING_APP] && set(s, SETTING_APP, known ? table[SETTING_APP].fallback : "", FROM_DEFAULT, err) < 0)
        return -1;
    if (known && check_app(s, err) < 0) {
        known = false;
        rc = -1;
    }
    for (int i = 0; i < SETTING_COUNT; i++)
        if (!s->values[i] && fill_default(s, (enum setting)i, known, err) < 0)
            return -1;
    return rc;
}

static bool is_whole(const struct settings *s)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        if (!s->values[i])
            return false;
    return true;
}

int settings_read(const char *path, struct settings **out, struct err *err)
{
    struct settings *s = calloc(1, sizeof *s);
    struct err later = { 0 }; /* the first trouble is told, with its own hint */
    int rc = 0;

    *out = NULL;
    if (!s)
        return err_no_memory(err);
    if (!path && access(DEFAULT_FILE, F_OK) == 0)
        path = DEFAULT_FILE;
    if (path && load_file(s, path, err) < 0)
        rc = -1;
    if (load_environment(s, rc < 0 ? &later : err) < 0 || fill_defaults(s, rc < 0 ? &later : err) < 0)
        rc = -1;
    if (is_whole(s)) {
        *out = s;
        return rc;
    }
    settings_free(s);
    return err_no_memory(err);
}

void settings_free(struct settings *s)
{
    if (!s)
        return;
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (s->values[i])
            text_wipe(s->values[i], strlen(s->values[i]));
        free(s->values[i]);
    }
    free(s->file);
    free(s);
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

const char *settings_get(const struct settings *s, enum setting which)
{
    return s->values[which];
}

enum setting_origin settings_origin(const struct settings *s, enum setting which)
{
    return s->origins[which];
}

bool settings_given(const struct settings *s, enum setting which)
{
    return s->origins[which] != FROM_DEFAULT;
}

const char *settings_file(const struct settings *s)
{
    return s->file;
}

static const char *origin_words(const struct settings *s, enum setting which)
{
    switch (s->origins[which]) {
    case FROM_ENVIRONMENT:
        return "the environment";
    case FROM_FILE:
        return s->file;
    default:
        return "the default";
    }
}

int settings_int(const struct settings *s, enum setting which, int low, int high, int *value, struct err *err)
{
    if (text_parse_int(s->values[which], low, high, value))
        return 0;
    return err_set(err, ERR_CONFIG, "%s is \"%s\" (from %s); it must be a whole number from %d to %d",
                   table[which].name, table[which].secret ? "***" : s->values[which], origin_words(s, which), low,
                   high);
}

int settings_numbers(const struct settings *s, struct err *err)
{
    static const struct {
        enum setting which;
        int low, high;
    } numbers[] = {
        { SETTING_JOBS, 0, 256 },
        { SETTING_CACHE_KEEP, 1, 100000 },
        { SETTING_KEEP_AT_LEAST, 1, 100000 },
        { SETTING_LOCK_TIMEOUT, 0, 86400 },
        { SETTING_S3_MAX_PARTS, 1, 10000 },
        { SETTING_S3_MEMORY, 16, 1 << 20 },
        { SETTING_S3_RETRY_SECONDS, 0, 86400 },
        { SETTING_SCHEDULE_HOURS, 0, 24 * 366 },
        { SETTING_RTO_MINUTES, 0, 60 * 24 * 366 },
        { SETTING_DRILL_DAYS, 0, 10 * 366 },
        { SETTING_ALERT_REPEAT_HOURS, 0, 8760 },
    };
    int value;

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (settings_int(s, numbers[i].which, numbers[i].low, numbers[i].high, &value, err) < 0)
            return -1;
    return 0;
}

int settings_jobs(const struct settings *s, const int *wanted, unsigned *jobs, struct err *err)
{
    int n = wanted != NULL ? *wanted : 0;

    if (wanted == NULL && settings_int(s, SETTING_JOBS, 0, 256, &n, err) < 0)
        return -1;
    *jobs = n > 0 ? (unsigned)n : os_cpus();
    return 0;
}

int settings_bool(const struct settings *s, enum setting which, bool *value, struct err *err)
{
    if (text_parse_bool(s->values[which], value))
        return 0;
    return err_set(err, ERR_CONFIG, "%s is \"%s\" (from %s); it must be yes or no", table[which].name,
                   table[which].secret ? "***" : s->values[which], origin_words(s, which));
}

/* Scheme and host of a URL, as "https://hooks.slack.com", then the mask. */
static void show_secret(struct buf *out, const char *value)
{
    const char *scheme = strstr(value, "://"), *host = scheme ? scheme + 3 : NULL;

    if (host && strcspn(host, "@") >= strcspn(host, "/?#")) {
        buf_add(out, value, (size_t)(host - value) + strcspn(host, "/?#"));
        buf_putc(out, '/');
    }
    if (*value)
        buf_puts(out, "***");
}

void settings_show(struct buf *out, const struct settings *s, enum setting which)
{
    switch (settings_secrecy(which)) {
    case SETTING_HAS_PASSWORD:
        settings_mask(out, s->values[which]);
        break;
    case SETTING_SECRET:
        show_secret(out, s->values[which]);
        break;
    default:
        buf_puts(out, s->values[which]);
    }
}
