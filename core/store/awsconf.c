/* SPDX-License-Identifier: PostgreSQL */
#include "core/store/awsconf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "core/base/os.h"
#include "core/base/text.h"

#define MAX_FILE (1024 * 1024)
#define MAX_NAME 256

enum place { CREDENTIALS, CONFIG, PLACES }; /* the first wins */

struct entry {
    enum place place;
    char *section, *key, *value; /* section: "profile NAME" in both files, "services NAME" */
};

struct awsconf {
    char *profile;
    char *paths[PLACES];
    struct entry *entries;
    size_t n, room;
};

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

/* ---- the files ----------------------------------------------------------------------------------------------- */

struct reader {
    struct awsconf *conf;
    enum place place;
    char section[MAX_NAME], parent[MAX_NAME]; /* parent: the key that indented lines belong to */
    struct err *err;
};

static char *trim(char *text)
{
    char *end = text + strlen(text);

    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static int add_entry(struct reader *r, const char *key, const char *value)
{
    struct awsconf *c = r->conf;
    struct entry e = { .place = r->place };

    if (c->n == c->room) {
        size_t room = c->room ? 2 * c->room : 32;
        struct entry *more = realloc(c->entries, room * sizeof *more);

        if (!more)
            return err_no_memory(r->err);
        c->entries = more;
        c->room = room;
    }
    e.section = strdup(r->section);
    e.key = strdup(key);
    e.value = strdup(value);
    c->entries[c->n++] = e; /* freed there, whatever is missing */
    return e.section && e.key && e.value ? 0 : err_no_memory(r->err);
}

/* "[default]", "[profile x]", "[profile \"x y\"]", "[services x]"; in the credentials file "[x]" is a profile's name. */
static void begin_section(struct reader *r, char *name)
{
    char *space;

    name = trim(name);
    r->parent[0] = '\0';
    if (r->place == CREDENTIALS || strcmp(name, "default") == 0) {
        snprintf(r->section, sizeof r->section, "profile %s", name);
        return;
    }
    space = name + strcspn(name, " \t");
    if (*space) {
        *space = '\0';
        space = trim(space + 1);
        if (*space == '"' && text_ends(space, "\"") && space[1]) {
            space[strlen(space) - 1] = '\0';
            space++;
        }
    }
    snprintf(r->section, sizeof r->section, "%s %s", name, space);
}

static int read_line(struct reader *r, char *line)
{
    bool indented = *line == ' ' || *line == '\t';
    char key[2 * MAX_NAME], *equals, *end;

    line = trim(line);
    if (*line == '\0' || *line == '#' || *line == ';')
        return 0;
    if (*line == '[' && !indented) {
        end = strchr(line, ']');
        if (end)
            *end = '\0';
        begin_section(r, line + 1);
        return 0;
    }
    equals = strchr(line, '=');
    if (!equals || r->section[0] == '\0')
        return 0; /* AWS's tools don't mind either */
    *equals = '\0';
    line = trim(line);
    equals = trim(equals + 1);
    for (char *c = line; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (indented && r->parent[0])
        snprintf(key, sizeof key, "%s.%s", r->parent, line);
    else
        snprintf(key, sizeof key, "%s", line);
    if (!indented)
        snprintf(r->parent, sizeof r->parent, "%s", *equals ? "" : line);
    return *equals ? add_entry(r, key, equals) : 0;
}

static int read_file(struct awsconf *c, enum place place, struct err *err)
{
    struct reader r = { .conf = c, .place = place, .err = err };
    struct buf text;
    char *rest, *line;
    int rc = -1;

    if (!c->paths[place] || (access(c->paths[place], F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR)))
        return 0;
    buf_init(&text, MAX_FILE);
    if (os_read_file(c->paths[place], &text, err) < 0) {
        err_reclass(err, ERR_CONFIG);
        err_hint(err, "let %s read it, or name another file in %s", os_user(),
                 place == CONFIG ? "AWS_CONFIG_FILE" : "AWS_SHARED_CREDENTIALS_FILE");
        goto out;
    }
    rest = text.size > 0 ? text.data : NULL;
    while (rest && (line = strsep(&rest, "\n")))
        if (read_line(&r, line) < 0)
            goto out;
    rc = 0;
out:
    text_wipe(text.data, text.size);
    buf_release(&text);
    return rc;
}

/* Path of a file: what the variable says, "~/" being our home, else the usual one. NULL: there is no home. */
static int find_path(char **out, const char *name, const char *usual, struct err *err)
{
    const char *named = variable(name), *home = variable("HOME");

    *out = NULL;
    if (!named)
        named = usual;
    if (!text_starts(named, "~/"))
        *out = strdup(named);
    else if (home)
        *out = os_path(home, named + 2);
    else
        return 0;
    return *out ? 0 : err_no_memory(err);
}

static bool has_section(const struct awsconf *c, const char *section)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->entries[i].section, section) == 0)
            return true;
    return false;
}

bool awsconf_has_profile(const struct awsconf *c, const char *profile)
{
    char section[MAX_NAME];

    snprintf(section, sizeof section, "profile %s", profile);
    return has_section(c, section);
}

static int find_profile(struct awsconf *c, struct err *err)
{
    const char *name = variable("AWS_PROFILE");

    if (!name)
        name = variable("AWS_DEFAULT_PROFILE");
    c->profile = strdup(name ? name : "default");
    if (!c->profile)
        return err_no_memory(err);
    if (name && !awsconf_has_profile(c, name)) {
        err_set(err, ERR_CONFIG, "there is no AWS profile %s (AWS_PROFILE)", name);
        err_hint(err, "looked for it in %s and %s", c->paths[CONFIG] ? c->paths[CONFIG] : "no config file",
                 c->paths[CREDENTIALS] ? c->paths[CREDENTIALS] : "no credentials file");
        return -1;
    }
    return 0;
}

struct awsconf *awsconf_load(struct err *err)
{
    struct awsconf *c = calloc(1, sizeof *c);

    if (!c) {
        err_no_memory(err);
        return NULL;
    }
    if (find_path(&c->paths[CREDENTIALS], "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", err) < 0 ||
        find_path(&c->paths[CONFIG], "AWS_CONFIG_FILE", "~/.aws/config", err) < 0 ||
        read_file(c, CREDENTIALS, err) < 0 || read_file(c, CONFIG, err) < 0 || find_profile(c, err) < 0) {
        awsconf_free(c);
        return NULL;
    }
    return c;
}

void awsconf_free(struct awsconf *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++) {
        free(c->entries[i].section);
        free(c->entries[i].key);
        if (c->entries[i].value)
            text_wipe(c->entries[i].value, strlen(c->entries[i].value));
        free(c->entries[i].value);
    }
    free(c->entries);
    for (int i = 0; i < PLACES; i++)
        free(c->paths[i]);
    free(c->profile);
    free(c);
}

/* ---- values -------------------------------------------------------------------------------------------------- */

const char *awsconf_profile(const struct awsconf *c)
{
    return c->profile;
}

static const char *get(const struct awsconf *c, const char *section, const char *key, char origin[AWSCONF_ORIGIN])
{
    for (int place = 0; place < PLACES; place++)
        for (size_t i = c->n; i-- > 0;) { /* the last of several counts */
            const struct entry *e = &c->entries[i];

            if ((int)e->place != place || strcmp(e->section, section) != 0 || strcmp(e->key, key) != 0)
                continue;
            if (origin)
                snprintf(origin, AWSCONF_ORIGIN, "%s in %s", section, c->paths[place]);
            return e->value;
        }
    return NULL;
}

const char *awsconf_get(const struct awsconf *c, const char *profile, const char *key, char origin[AWSCONF_ORIGIN])
{
    char section[MAX_NAME];

    snprintf(section, sizeof section, "profile %s", profile);
    return get(c, section, key, origin);
}

/* The first of these environment variables that is not empty, else the present profile's key. */
static const char *find(const struct awsconf *c, const char *const *variables, const char *key,
                        char origin[AWSCONF_ORIGIN])
{
    for (; *variables; variables++)
        if (variable(*variables)) {
            if (origin)
                snprintf(origin, AWSCONF_ORIGIN, "%s", *variables);
            return variable(*variables);
        }
    return key ? awsconf_get(c, c->profile, key, origin) : NULL;
}

const char *awsconf_region(const struct awsconf *c, char origin[AWSCONF_ORIGIN])
{
    static const char *const variables[] = { "AWS_REGION", "AWS_DEFAULT_REGION", NULL };

    return find(c, variables, "region", origin);
}

const char *awsconf_ca_bundle(const struct awsconf *c, char origin[AWSCONF_ORIGIN])
{
    static const char *const variables[] = { "AWS_CA_BUNDLE", NULL };

    return find(c, variables, "ca_bundle", origin);
}

/* Variables beat the files; in each, what is said for the one service beats what is said for all. */
static const char *endpoint(const struct awsconf *c, const char *const *variables, const char *service_key,
                            char origin[AWSCONF_ORIGIN])
{
    const char *ignore = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), *services, *found;
    char section[MAX_NAME];

    if (ignore && strcasecmp(ignore, "true") == 0)
        return NULL;
    found = find(c, variables, NULL, origin);
    if (found)
        return found;
    services = awsconf_get(c, c->profile, "services", NULL);
    if (services) {
        snprintf(section, sizeof section, "services %s", services);
        found = get(c, section, service_key, origin);
    }
    return found ? found : awsconf_get(c, c->profile, "endpoint_url", origin);
}

const char *awsconf_s3_endpoint(const struct awsconf *c, char origin[AWSCONF_ORIGIN])
{
    static const char *const variables[] = { "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", NULL };

    return endpoint(c, variables, "s3.endpoint_url", origin);
}

const char *awsconf_sts_endpoint(const struct awsconf *c, char origin[AWSCONF_ORIGIN])
{
    static const char *const variables[] = { "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL", NULL };

    return endpoint(c, variables, "sts.endpoint_url", origin);
}
