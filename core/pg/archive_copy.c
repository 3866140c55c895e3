/* SPDX-License-Identifier: PostgreSQL */
/* archive_copy.c - the COPY statement of a table's entry, taken apart. What is sent to a server later must not be
 * anything that a name in a backup made of it; so nothing is searched for in the statement: it is read from its start,
 * name by name as SQL reads them, and whatever is not exactly expected is refused. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/pg/archive.h"
#include "core/pg/sqltext.h"

#define NAME_MAX_BYTES 1024 /* PostgreSQL's own limit is 63, unless it was built with another */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Reads one identifier as PostgreSQL's quote_identifier() writes it: bare, or in double quotes with "" for ". Returns
 * what follows it, or NULL. */
static const char *take_name(const char *at, struct buf *name)
{
    buf_reset(name);
    if (*at != '"') {
        while (is_plain(*at))
            buf_putc(name, *at++);
        return name->size > 0 ? at : NULL;
    }
    for (at++; *at != '\0'; at++) {
        if (at[0] == '"' && at[1] == '"')
            at++;
        else if (at[0] == '"')
            return name->size > 0 ? at + 1 : NULL;
        buf_putc(name, *at);
    }
    return NULL;
}

static const char *take_word(const char *at, const char *word)
{
    size_t n = strlen(word);

    return strncmp(at, word, n) == 0 ? at + n : NULL;
}

static int keep(char **where, const struct buf *name)
{
    *where = name->failed ? NULL : strdup(name->data);
    return *where != NULL ? 0 : -1;
}

static int add_column(struct archive_copy *c, const struct buf *name)
{
    if ((c->n & (c->n - 1)) == 0) { /* full at powers of two */
        char **more = realloc(c->columns, (c->n > 0 ? c->n * 2 : 1) * sizeof *more);

        if (more == NULL)
            return -1;
        c->columns = more;
    }
    if (keep(&c->columns[c->n], name) < 0)
        return -1;
    c->n++;
    return 0;
}

/* "(a, b)" */
static const char *take_columns(const char *at, struct archive_copy *c, struct buf *name)
{
    do {
        at = take_name(at + (c->n > 0 ? 2 : 1), name);
        if (at == NULL || add_column(c, name) < 0)
            return NULL;
    } while (at[0] == ',' && at[1] == ' ');
    return *at == ')' ? at + 1 : NULL;
}

/* COPY [schema.]table [(columns)] [WITH OIDS] FROM stdin; */
static bool take_statement(const struct archive_entry *e, struct archive_copy *c, struct buf *name)
{
    const char *at = take_word(e->copy != NULL ? e->copy : "", "COPY ");

    if (at == NULL || (at = take_name(at, name)) == NULL || keep(&c->table, name) < 0)
        return false;
    if (*at == '.') {
        c->schema = c->table;
        c->table = NULL;
        if ((at = take_name(at + 1, name)) == NULL || keep(&c->table, name) < 0)
            return false;
    } else { /* before 10.3 the schema was set by search_path */
        c->schema = strdup(e->schema != NULL ? e->schema : "");
        if (c->schema == NULL)
            return false;
    }
    at += strspn(at, " ");
    if (*at == '(' && (at = take_columns(at, c, name)) == NULL)
        return false;
    at += strspn(at, " ");
    return strcmp(at, "FROM stdin;\n") == 0;
}

int archive_copy_parse(const struct archive_entry *e, struct archive_copy *out, struct err *err)
{
    struct buf name;
    bool good;

    memset(out, 0, sizeof *out);
    buf_init(&name, NAME_MAX_BYTES);
    good = take_statement(e, out, &name);
    buf_release(&name);
    if (good)
        return 0;
    archive_copy_release(out);
    return err_set(err, ERR_DAMAGED, "offset %" PRIu64 ": entry %d has a COPY statement that is none", e->offset_at,
                   e->id);
}

void archive_copy_release(struct archive_copy *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->columns[i]);
    free(c->columns);
    free(c->schema);
    free(c->table);
    memset(c, 0, sizeof *c);
}

/* "SET client_encoding = 'UTF8';" */
char *archive_encoding(const struct archive *a)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct archive_entry *e = &a->entries[i];

        if (strcmp(e->desc, "ENCODING") == 0 && e->defn != NULL) {
            struct sql_reader r = sql_reader(e->defn, strlen(e->defn));
            struct sql_token t;

            while (sql_next(&r, &t) != SQL_END)
                if (t.kind == SQL_STRING && t.size > 2)
                    return strndup(t.text + 1, t.size - 2);
        }
    }
    return NULL;
}
