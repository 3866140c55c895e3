/* SPDX-License-Identifier: PostgreSQL */
/* names.h - a set of names: each once, in the order of their bytes. Start from zeros. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "core/base/buf.h"
#include "core/base/err.h"

struct names {
    char **items;
    size_t n, room;
};

int names_add(struct names *s, const char *name, struct err *err); /* copies; one that is there already stays */
int names_add_all(struct names *s, const struct names *more, struct err *err);
bool names_have(const struct names *s, const char *name);
void names_release(struct names *s);

/* Appends "a, b and c" for a message; of many only the first ones, "and 12 more". */
void names_list(struct buf *out, const struct names *s);
