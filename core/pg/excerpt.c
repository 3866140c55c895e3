/* SPDX-License-Identifier: PostgreSQL */
/* excerpt.c - which entries of an archive belong to some of its tables. The writing: excerpt_write.c */
#include "core/pg/excerpt.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/pg/health.h"

#define NAME_MAX_BYTES 1024
#define LIST_MAX 8192

static bool is_desc(const struct archive_entry *e, const char *desc)
{
    return strcmp(e->desc, desc) == 0;
}

static const char *schema_of(const struct archive_entry *e)
{
    return e->schema != NULL ? e->schema : "";
}

static size_t index_of(const struct excerpt *x, const struct archive_entry *e)
{
    return (size_t)(e - x->archive->entries);
}

/* ---- a name as it was typed -------------------------------------------------------------------------------------- */

struct wanted {
    const char *typed;
    struct buf schema, table;
    bool has_schema, schema_quoted, table_quoted;
    bool whole; /* it can't be taken apart: the table's name is all of it */
};

/* One identifier; what follows it, or NULL. */
static const char *take_part(const char *at, struct buf *part, bool *quoted)
{
    *quoted = *at == '"';
    if (!*quoted) {
        size_t n = strcspn(at, ".\"");

        buf_add(part, at, n);
        return n > 0 ? at + n : NULL;
    }
    for (at++; *at != '\0'; at++) {
        if (at[0] == '"' && at[1] == '"')
            at++;
        else if (at[0] == '"')
            return part->size > 0 ? at + 1 : NULL;
        buf_putc(part, *at);
    }
    return NULL;
}

static void parse(const char *typed, struct wanted *w)
{
    const char *at;

    memset(w, 0, sizeof *w);
    w->typed = typed;
    buf_init(&w->schema, NAME_MAX_BYTES);
    buf_init(&w->table, NAME_MAX_BYTES);
    at = take_part(typed, &w->table, &w->table_quoted);
    if (at != NULL && *at == '.') {
        struct buf first = w->table;

        w->table = w->schema; /* empty */
        w->schema = first;
        w->schema_quoted = w->table_quoted;
        w->has_schema = true;
        at = take_part(at + 1, &w->table, &w->table_quoted);
    }
    w->whole = at == NULL || *at != '\0' || w->table.failed || w->schema.failed;
}

static void forget(struct wanted *w)
{
    buf_release(&w->schema);
    buf_release(&w->table);
}

static bool same_name(const char *name, const struct buf *part, bool fold)
{
    size_t i;

    if (!fold)
        return strcmp(name, part->data) == 0;
    for (i = 0; i < part->size; i++)
        if (name[i] != (char)tolower((unsigned char)part->data[i]))
            return false;
    return name[i] == '\0';
}

enum reading { AS_TYPED, FOLDED, AS_A_WHOLE, READINGS };

static bool is_meant(const struct wanted *w, enum reading how, const struct archive_entry *e)
{
    if (how == AS_A_WHOLE)
        return strcmp(e->tag, w->typed) == 0;
    if (w->whole)
        return false;
    return same_name(e->tag, &w->table, how == FOLDED && !w->table_quoted) &&
           (!w->has_schema || same_name(schema_of(e), &w->schema, how == FOLDED && !w->schema_quoted));
}

/* ---- finding it -------------------------------------------------------------------------------------------------- */

static bool is_table(const struct archive_entry *e)
{
    return is_desc(e, "TABLE");
}

/* Also of an archive that has rows only. */
static bool is_candidate(const struct archive_entry *e)
{
    return is_table(e) || is_desc(e, "TABLE DATA");
}

static bool is_relation(const struct archive_entry *e)
{
    return is_desc(e, "VIEW") || is_desc(e, "MATERIALIZED VIEW") || is_desc(e, "FOREIGN TABLE") ||
           is_desc(e, "SEQUENCE");
}

static bool same_object(const struct archive_entry *a, const struct archive_entry *b)
{
    return strcmp(a->tag, b->tag) == 0 && strcmp(schema_of(a), schema_of(b)) == 0;
}

static int several(const struct archive *a, const struct wanted *w, enum reading how, struct err *err)
{
    const struct archive_entry *last = NULL;
    struct buf list;

    buf_init(&list, LIST_MAX);
    for (size_t i = 0; i < a->n; i++) {
        const struct archive_entry *e = &a->entries[i];

        if (!is_table(e) || !is_meant(w, how, e) || (last != NULL && same_object(last, e)))
            continue;
        buf_printf(&list, "%s%s.%s", last != NULL ? ", " : "", schema_of(e), e->tag);
        last = e;
    }
    err_set(err, ERR_USAGE, "there are several tables %s in it: %s", w->typed, list.data);
    err_hint(err, "say which: --table SCHEMA.%s", w->typed);
    buf_release(&list);
    return -1;
}

static int none(const struct archive *a, const struct wanted *w, struct err *err)
{
    const struct archive_entry *near = NULL;
    unsigned best = 3;

    for (size_t i = 0; i < a->n; i++) {
        const struct archive_entry *e = &a->entries[i];
        unsigned distance = is_candidate(e) ? text_distance(e->tag, w->whole ? w->typed : w->table.data) : best;

        for (int how = 0; how < READINGS; how++)
            if (is_relation(e) && is_meant(w, (enum reading)how, e))
                return err_set(err, ERR_USAGE, "%s.%s is no table, but a %s: it has no rows in the backup",
                               schema_of(e), e->tag, e->desc);
        if (distance < best) {
            best = distance;
            near = e;
        }
    }
    err_set(err, ERR_NOT_FOUND, "there is no table %s in the backup", w->typed);
    if (near != NULL)
        err_hint(err, "did you mean %s.%s? `sfb list BACKUP` shows all", schema_of(near), near->tag);
    else
        err_hint(err, "`sfb list BACKUP` shows which there are");
    return -1;
}

/* The first entry of the only table that is meant. */
static const struct archive_entry *find(const struct archive *a, const char *name, struct err *err)
{
    const struct archive_entry *found = NULL;
    struct wanted w;

    parse(name, &w);
    for (int how = 0; how < READINGS && found == NULL; how++)
        for (size_t i = 0; i < a->n; i++) {
            const struct archive_entry *e = &a->entries[i];

            if (!is_candidate(e) || !is_meant(&w, (enum reading)how, e))
                continue;
            if (found != NULL && !same_object(found, e)) {
                several(a, &w, (enum reading)how, err);
                forget(&w);
                return NULL;
            }
            if (found == NULL)
                found = e;
        }
    if (found == NULL)
        none(a, &w, err);
    forget(&w);
    return found;
}

/* ---- what belongs to it ------------------------------------------------------------------------------------------ */

static const struct archive_entry *depends(const struct excerpt *x, const struct archive_entry *e, size_t i)
{
    return archive_find(x->archive, e->depends[i]);
}

/* Does the entry hang on one of that kind that is chosen? */
static const struct archive_entry *chosen_one(const struct excerpt *x, const struct archive_entry *e, const char *desc)
{
    for (size_t i = 0; i < e->depends_n; i++) {
        const struct archive_entry *on = depends(x, e, i);

        if (on != NULL && x->parts[index_of(x, on)] != EXCERPT_OUT && (desc == NULL || is_desc(on, desc)))
            return on;
    }
    return NULL;
}

/* And are all of that kind that it hangs on? */
static bool all_chosen(const struct excerpt *x, const struct archive_entry *e, const char *desc)
{
    size_t n = 0;

    for (size_t i = 0; i < e->depends_n; i++) {
        const struct archive_entry *on = depends(x, e, i);

        if (on == NULL || (desc != NULL && !is_desc(on, desc)))
            continue;
        if (x->parts[index_of(x, on)] == EXCERPT_OUT)
            return false;
        n++;
    }
    return n > 0;
}

/* The tag of what may hang on several tables says whose it is: "TABLE NAME". */
static bool is_named_after(const struct excerpt *x, const struct archive_entry *e)
{
    for (size_t i = 0; i < e->depends_n; i++) {
        const struct archive_entry *on = depends(x, e, i);
        size_t n = on != NULL ? strlen(on->tag) : 0;

        if (on != NULL && is_table(on) && x->parts[index_of(x, on)] != EXCERPT_OUT &&
            strncmp(e->tag, on->tag, n) == 0 && e->tag[n] == ' ' && strcmp(schema_of(e), schema_of(on)) == 0)
            return true;
    }
    return false;
}

static const struct {
    const char *desc, *on; /* on NULL: on anything that is chosen */
    bool by_name, all;
    enum excerpt_part part;
} belongings[] = {
    { "TABLE DATA", "TABLE", false, false, EXCERPT_INSIDE },
    { "DEFAULT", "TABLE", false, false, EXCERPT_INSIDE },
    { "CONSTRAINT", "TABLE", false, false, EXCERPT_INSIDE },
    { "INDEX", "TABLE", false, false, EXCERPT_INSIDE },
    { "STATISTICS", "TABLE", false, false, EXCERPT_INSIDE },
    { "SEQUENCE", "TABLE", false, false, EXCERPT_INSIDE },
    { "SEQUENCE OWNED BY", "SEQUENCE", false, false, EXCERPT_INSIDE },
    { "SEQUENCE SET", "SEQUENCE", false, false, EXCERPT_INSIDE },
    { "ROW SECURITY", "TABLE", false, false, EXCERPT_INSIDE },
    { "TABLE ATTACH", "TABLE", false, true, EXCERPT_INSIDE },
    { "INDEX ATTACH", NULL, false, true, EXCERPT_INSIDE },
    { "COMMENT", NULL, false, false, EXCERPT_INSIDE },
    { "ACL", NULL, false, false, EXCERPT_INSIDE },
    { "CHECK CONSTRAINT", "TABLE", true, false, EXCERPT_AFTER },
    { "FK CONSTRAINT", "TABLE", true, false, EXCERPT_AFTER },
    { "TRIGGER", "TABLE", true, false, EXCERPT_AFTER },
    { "RULE", "TABLE", true, false, EXCERPT_AFTER },
    { "POLICY", "TABLE", true, false, EXCERPT_AFTER },
    { "SECURITY LABEL", NULL, false, false, EXCERPT_AFTER },
};

static enum excerpt_part part_of(const struct excerpt *x, const struct archive_entry *e)
{
    for (size_t i = 0; i < sizeof belongings / sizeof *belongings; i++) {
        const struct archive_entry *on;

        if (!is_desc(e, belongings[i].desc))
            continue;
        if (belongings[i].by_name)
            return is_named_after(x, e) ? belongings[i].part : EXCERPT_OUT;
        if (belongings[i].all)
            return all_chosen(x, e, belongings[i].on) ? belongings[i].part : EXCERPT_OUT;
        on = chosen_one(x, e, belongings[i].on);
        if (on == NULL)
            return EXCERPT_OUT;
        return x->parts[index_of(x, on)] == EXCERPT_AFTER ? EXCERPT_AFTER : belongings[i].part;
    }
    return EXCERPT_OUT;
}

/* Until nothing comes any more: an index's comment hangs on the index, which hangs on the table. */
static void choose_belongings(struct excerpt *x)
{
    bool more = true;

    while (more) {
        more = false;
        for (size_t i = 0; i < x->archive->n; i++) {
            if (x->parts[i] != EXCERPT_OUT)
                continue;
            x->parts[i] = part_of(x, &x->archive->entries[i]);
            more = more || x->parts[i] != EXCERPT_OUT;
        }
    }
}

/* ---- the tables -------------------------------------------------------------------------------------------------- */

static int add_table(struct excerpt *x, const struct archive_entry *e, bool rows_only, struct err *err)
{
    const struct archive *a = x->archive;
    struct excerpt_table *more, t = { .schema = schema_of(e), .name = e->tag };

    for (size_t i = 0; i < x->n; i++)
        if (strcmp(x->tables[i].name, t.name) == 0 && strcmp(x->tables[i].schema, t.schema) == 0)
            return 0;
    for (size_t i = 0; i < a->n; i++) {
        const struct archive_entry *of = &a->entries[i];

        if (is_table(of) && same_object(of, e))
            t.definition = of;
        else if (is_desc(of, "TABLE DATA") && same_object(of, e) && of->has_data)
            t.rows = of;
    }
    if (t.definition == NULL && !rows_only) {
        err_set(err, ERR_USAGE, "the backup holds rows of %s.%s, but not its definition", t.schema, t.name);
        err_hint(err, "--data-only puts them into a table that is there");
        return -1;
    }
    more = realloc(x->tables, (x->n + 1) * sizeof *more);
    if (more == NULL)
        return err_no_memory(err);
    x->tables = more;
    x->tables[x->n++] = t;
    return 0;
}

/* The table that an entry makes a partition of `parent`. Before 14 that was a part of its definition. */
static const struct archive_entry *partition_of(const struct excerpt *x, const struct archive_entry *e,
                                                const struct archive_entry *parent)
{
    const struct archive_entry *child = is_table(e) ? e : NULL;
    bool hangs = false;

    if (is_table(e) ? e->defn == NULL || strstr(e->defn, " ATTACH PARTITION ") == NULL : !is_desc(e, "TABLE ATTACH"))
        return NULL;
    for (size_t i = 0; i < e->depends_n; i++) {
        const struct archive_entry *on = depends(x, e, i);

        if (on == NULL || !is_table(on))
            continue;
        if (on == parent && !same_object(on, e))
            hangs = true;
        else if (same_object(on, e))
            child = on;
    }
    return hangs ? child : NULL;
}

/* x->n grows meanwhile: partitions have partitions. */
static int add_partitions(struct excerpt *x, size_t from, bool rows_only, struct err *err)
{
    for (size_t t = from; t < x->n; t++)
        for (size_t i = 0; x->tables[t].definition != NULL && i < x->archive->n; i++) {
            const struct archive_entry *child = partition_of(x, &x->archive->entries[i], x->tables[t].definition);

            if (child != NULL && add_table(x, child, rows_only, err) < 0)
                return -1;
        }
    return 0;
}

/* The position of a sequence that hangs on one of the tables, which its rows have moved. Servers before 10 can't be told
 * to move one on only. */
static bool is_their_position(const struct excerpt *x, const struct archive_entry *e)
{
    const char *version = x->archive->server_version;
    struct health_position position;

    if (!is_desc(e, "SEQUENCE SET") || version == NULL || strtol(version, NULL, 10) < 10 ||
        !health_sequence_of(e, &position) || !position.called)
        return false;
    for (size_t i = 0; i < e->depends_n; i++) {
        const struct archive_entry *sequence = depends(x, e, i);

        for (size_t k = 0; sequence != NULL && is_desc(sequence, "SEQUENCE") && k < sequence->depends_n; k++)
            for (size_t t = 0; t < x->n; t++)
                if (x->tables[t].definition != NULL && depends(x, sequence, k) == x->tables[t].definition)
                    return true;
    }
    return false;
}

/* What every archive says of itself: encoding and the like. */
static bool is_setting(const struct archive_entry *e)
{
    return is_desc(e, "ENCODING") || is_desc(e, "STDSTRINGS") || is_desc(e, "SEARCHPATH");
}

int excerpt_choose(const struct archive *a, const char *const *names, size_t n, bool rows_only, struct excerpt *out,
                   struct err *err)
{
    memset(out, 0, sizeof *out);
    out->archive = a;
    out->rows_only = rows_only;
    out->parts = calloc(a->n + 1, sizeof *out->parts);
    if (out->parts == NULL) {
        err_no_memory(err);
        goto fail;
    }
    for (size_t i = 0; i < n; i++) {
        const struct archive_entry *e = find(a, names[i], err);
        size_t from = out->n;

        if (e == NULL || add_table(out, e, rows_only, err) < 0 || add_partitions(out, from, rows_only, err) < 0)
            goto fail;
    }
    for (size_t i = 0; i < out->n; i++) {
        if (!rows_only)
            out->parts[index_of(out, out->tables[i].definition)] = EXCERPT_INSIDE;
        if (out->tables[i].rows != NULL)
            out->parts[index_of(out, out->tables[i].rows)] = EXCERPT_INSIDE;
    }
    if (!rows_only)
        choose_belongings(out);
    for (size_t i = 0; i < a->n; i++)
        if (is_setting(&a->entries[i]) || (rows_only && is_their_position(out, &a->entries[i])))
            out->parts[i] = EXCERPT_INSIDE;
    return 0;
fail:
    excerpt_release(out);
    return -1;
}

void excerpt_release(struct excerpt *x)
{
    free(x->parts);
    free(x->tables);
    memset(x, 0, sizeof *x);
}

void excerpt_needs(const struct excerpt *x, struct buf *out)
{
    const struct archive *a = x->archive;
    bool *told = calloc(a->n + 1, sizeof *told);

    for (size_t i = 0; told != NULL && i < a->n; i++)
        for (size_t k = 0; x->parts[i] == EXCERPT_INSIDE && k < a->entries[i].depends_n; k++) {
            const struct archive_entry *on = depends(x, &a->entries[i], k);

            if (on == NULL || x->parts[index_of(x, on)] != EXCERPT_OUT || told[index_of(x, on)])
                continue;
            told[index_of(x, on)] = true;
            buf_printf(out, "%s%s %s%s%s", out->size > 0 ? ", " : "", on->desc, schema_of(on),
                       *schema_of(on) != '\0' ? "." : "", on->tag);
        }
    free(told);
}
