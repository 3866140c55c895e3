/* SPDX-License-Identifier: PostgreSQL */
/* settings.h - settings for tests: those that are whole, or none. */
#pragma once
#include "core/backup/settings.h"

static inline struct settings *unit_settings(const char *path, struct err *err)
{
    struct settings *s = NULL;

    if (settings_read(path, &s, err) == 0)
        return s;
    settings_free(s);
    return NULL;
}
