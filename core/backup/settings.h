/* SPDX-License-Identifier: PostgreSQL */
/* settings.h - what the surroundings say: environment variables and the settings file.
 *
 * One table (settings_table.h) names every setting with its default and its explanation; the documentation is made
 * from it. An option beats the environment, the environment beats the file, the file beats the default. The file
 * holds KEY=VALUE lines as systemd's EnvironmentFile and docker's --env-file read them: # comments, optional single or
 * double quotes, no expansion. A file that others may write to is refused; one that others may read is warned about
 * when it holds a secret.
 *
 * Names that belong to somebody else (PGHOST, AWS_REGION, ...) may stand in the file as well: they are put into the
 * process's environment, where libpq and the AWS credential chain look for them, unless they are set there already.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "core/base/buf.h"
#include "core/base/err.h"

enum setting {
#define SETTING(id, name, fallback, secret, help) SETTING_##id,
#include "core/backup/settings_table.h"
#undef SETTING
    SETTING_COUNT
};

/* How much of a value may be shown. The column `secret` of the table; true stands for SETTING_HAS_PASSWORD. */
enum setting_secrecy {
    SETTING_PLAIN = false,
    SETTING_HAS_PASSWORD = true, /* a connection string: all but its passwords */
    SETTING_SECRET,              /* nothing; of a URL, such as a webhook's, its scheme and host */
};

enum setting_origin { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT };

struct settings;

/* path NULL: /etc/sfb.env if it is there. A path that was asked for and can't be read is ERR_CONFIG; so are a line
 * that is no KEY=VALUE and an SFB_ name that does not exist (with the name that may have been meant).
 * *out is also there with -1 (NULL: no memory): what could be read all the same, so that somebody can be told. Lines that
 * are wrong are as if they were not there; defaults that need an application's name which is not known are "". */
int settings_read(const char *path, struct settings **out, struct err *err);
void settings_free(struct settings *s);

/* The value, with ${APP} in defaults replaced; never NULL: "" is not set. Owned by s. */
const char *settings_get(const struct settings *s, enum setting which);
enum setting_origin settings_origin(const struct settings *s, enum setting which);
bool settings_given(const struct settings *s, enum setting which); /* not from the default */

/* As numbers; ERR_CONFIG names the setting, its origin and the value that is wrong. */
int settings_int(const struct settings *s, enum setting which, int low, int high, int *value, struct err *err);
int settings_numbers(const struct settings *s, struct err *err); /* is each that is a number one, and in its range? */
int settings_bool(const struct settings *s, enum setting which, bool *value, struct err *err);

/* How many threads: *wanted (NULL: SFB_JOBS), where 0 stands for one for each processor. */
int settings_jobs(const struct settings *s, const int *wanted, unsigned *jobs, struct err *err);

const char *settings_name(enum setting which);
const char *settings_help(enum setting which);
enum setting_secrecy settings_secrecy(enum setting which);
bool settings_is_secret(enum setting which);         /* shown masked */
const char *settings_file(const struct settings *s); /* the file that was read, or NULL */

/* Appends the value as it may be shown: of a secret only what is none (below). */
void settings_show(struct buf *out, const struct settings *s, enum setting which);

/* Appends a connection URL or keyword string with "***" for every password in it, however malformed it is; text that is
 * neither becomes "***" as a whole. In doubt it masks too much. */
void settings_mask(struct buf *out, const char *value);
