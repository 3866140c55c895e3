/* SPDX-License-Identifier: PostgreSQL */
/* The COPY statement of a table's entry, taken apart and turned around. What is sent to a server must not be anything
 * that a name in a backup made of it; so nothing is searched for in the statement: it is read from its start, name by
 * name as SQL reads them, and whatever is not exactly expected is refused. */
#include "core/pg/archive.h"

#include <string.h>

struct scan {
    const char *start, *at;
};

static bool take_text(struct scan *s, const char *text)
{
    size_t n = strlen(text);

    if (strncmp(s->at, text, n) != 0)
        return false;
    s->at += n;
    return true;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           (unsigned char) c >= 0x80;
}

/* A name, plain or in double quotes; `name`, when it is not NULL, gets it without them. */
static bool take_name(struct scan *s, struct buf *name)
{
    const char *from = s->at;

    if (*s->at != '"') {
        while (is_plain(*s->at))
            s->at++;
        if (name != NULL)
            buf_add(name, from, (size_t) (s->at - from));
        return s->at > from;
    }
    s->at++;
    while (*s->at != '\0') {
        if (*s->at == '"' && *++s->at != '"')
            return s->at > from + 2; /* the quote that ends it */
        if (name != NULL)
            buf_putc(name, *s->at);
        s->at++;
    }
    return false;
}

static bool take_columns(struct scan *s, size_t *n)
{
    *n = 0;
    if (!take_text(s, "("))
        return true;
    do {
        if (!take_name(s, NULL))
            return false;
        ++*n;
    } while (take_text(s, ", "));
    return take_text(s, ")");
}

/* On success s->at stands at the blanks in front of FROM. */
static bool take_statement(struct scan *s, struct buf *schema, struct buf *table, size_t *columns)
{
    struct scan first;

    if (!take_text(s, "COPY "))
        return false;
    first = *s;
    if (!take_name(s, NULL))
        return false;
    if (take_text(s, ".")) {
        if (schema != NULL && !take_name(&first, schema))
            return false;
        if (!take_name(s, table))
            return false;
    } else if (table != NULL && !take_name(&first, table)) {
        return false;
    }
    if (!take_text(s, " ") || !take_columns(s, columns))
        return false;
    struct scan end = *s;
    return take_text(&end, " FROM stdin;") && (strcmp(end.at, "\n") == 0 || *end.at == '\0');
}

static int refuse(const struct archive_entry *e, struct err *err)
{
    char name[160];

    return err_set(err, ERR_DAMAGED, "%s: its COPY statement is not one that pg_dump writes",
                   archive_entry_name(e, name, sizeof name));
}

int archive_copy_out(const struct archive_entry *e, struct buf *out, struct err *err)
{
    struct scan s = { .start = e->copy, .at = e->copy };
    size_t columns;

    if (e->copy == NULL || !take_statement(&s, NULL, NULL, &columns))
        return refuse(e, err);
    buf_add(out, s.start, (size_t) (s.at - s.start));
    buf_puts(out, " TO STDOUT");
    return buf_check(out, err);
}

int archive_copy_table(const struct archive_entry *e, struct buf *schema, struct buf *table, size_t *columns,
                       struct err *err)
{
    struct scan s = { .start = e->copy, .at = e->copy };

    if (e->copy == NULL || !take_statement(&s, schema, table, columns))
        return refuse(e, err);
    return buf_check(schema, err) < 0 ? -1 : buf_check(table, err);
}
