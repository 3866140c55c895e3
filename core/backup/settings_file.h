/* SPDX-License-Identifier: PostgreSQL */
/* settings_file.h - the settings file: who may write it, and what its lines say.
 *
 *     # a comment; so is a line that begins with ;
 *     SFB_APP=signupflow
 *     DATABASE_URL="postgresql://backup@db.example.com/signupflow"
 *
 * What systemd and docker read in the same way is read so here. Space around names and unquoted values does not count.
 * A quoted value ends with its line; in double quotes a backslash takes away the meaning of " \ $ and `, in single
 * quotes and without quotes it is a backslash. Nothing is expanded. The last line of a name wins.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "core/base/buf.h"
#include "core/base/err.h"

#define SETTINGS_FILE_MAX (1024 * 1024) /* bytes */

/* The whole file. ERR_CONFIG when it can't be read, is no regular file (/dev/null is fine, and empty), or when others
 * than its owner and our own group may write it. *public: everybody may read it. The caller wipes *out. */
int settings_file_read(const char *path, struct buf *out, bool *public, struct err *err);

/* Calls take() for each setting, in order. A line that is wrong, or that take() refuses with -1, keeps the others from nothing:
 * the first trouble is returned at the end. path is for messages, which never hold a value. */
typedef int settings_file_take(void *cookie, unsigned line, const char *name, const char *value, struct err *err);
int settings_file_parse(const char *text, size_t n, const char *path, settings_file_take *take, void *cookie,
                        struct err *err);
