/* SPDX-License-Identifier: PostgreSQL */
#include "core/base/names.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN 12

/* Where the name stands, or where it would have to. */
static size_t position(const struct names *s, const char *name, bool *found)
{
    size_t low = 0, high = s->n;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(s->items[middle], name);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int names_add(struct names *s, const char *name, struct err *err)
{
    bool found;
    size_t at = position(s, name, &found);
    char *copy;

    if (found)
        return 0;
    if (s->n == s->room) {
        size_t room = s->room ? s->room * 2 : 16;
        char **items = realloc(s->items, room * sizeof *items);

        if (items == NULL)
            return err_no_memory(err);
        s->items = items;
        s->room = room;
    }
    copy = strdup(name);
    if (copy == NULL)
        return err_no_memory(err);
    memmove(s->items + at + 1, s->items + at, (s->n - at) * sizeof *s->items);
    s->items[at] = copy;
    s->n++;
    return 0;
}

int names_add_all(struct names *s, const struct names *more, struct err *err)
{
    for (size_t i = 0; i < more->n; i++) {
        if (names_add(s, more->items[i], err) < 0)
            return -1;
    }
    return 0;
}

bool names_have(const struct names *s, const char *name)
{
    bool found;

    position(s, name, &found);
    return found;
}

void names_release(struct names *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->items[i]);
    free(s->items);
    memset(s, 0, sizeof *s);
}

void names_list(struct buf *out, const struct names *s)
{
    size_t shown = s->n > SHOWN + 1 ? SHOWN : s->n;

    for (size_t i = 0; i < shown; i++) {
        if (i > 0)
            buf_puts(out, i + 1 == s->n ? " and " : ", ");
        buf_puts(out, s->items[i]);
    }
    if (shown < s->n)
        buf_printf(out, " and %zu more", s->n - shown);
}
