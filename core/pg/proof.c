/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/base/names.h"
#include "core/base/text.h"
#include "core/pg/crew.h"
#include "core/pg/proof_facts.h"
#include "core/pg/proof_read.h"
#include <pthread.h>

#define MAX_SQL (1024 * 1024)
#define PART_BYTES (16ull * 1024 * 1024) /* less is not worth a query of its own */
#define SHOWN 10                         /* differences that are named */

struct item { /* a table of the backup, or one that should not be there (columns NULL) */
    const char *schema, *name;
    const char *const *columns;
    size_t n_columns;
    struct tally expected, found;
    const struct proof_fact *fact; /* NULL: the database does not have it */
    bool extra, checked;
};

struct part { /* what one query reads: a table, some of its pages, or (item NULL) the large objects */
    struct item *item;
    bool ranged, last;
    uint64_t from, to;
    uint64_t weight;
};

struct proof {
    const struct proof_params *p;
    int version;
    struct proof_facts facts;
    struct item *items;
    size_t n;
    struct part *parts;
    size_t n_parts, room;
    struct tally objects;
    char *session;
    pthread_mutex_t lock; /* of the sums */
};

/* ---- what there is to compare ------------------------------------------------------------------------------------ */

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = strcmp(x->schema, y->schema);

    return order != 0 ? order : strcmp(x->name, y->name);
}

/* Tables of the backup, each once: pg_dump --load-via-partition-root names the root for every partition's rows. */
static int collect_expected(struct proof *f, struct err *err)
{
    const struct proof_params *p = f->p;

    f->items = calloc(p->n + f->facts.n + 1, sizeof *f->items);
    if (f->items == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < p->n; i++)
        f->items[i] = (struct item){ .schema = p->tables[i].schema,
                                     .name = p->tables[i].name,
                                     .columns = p->tables[i].columns,
                                     .n_columns = p->tables[i].n_columns,
                                     .expected = p->tables[i].expected };
    qsort(f->items, p->n, sizeof *f->items, compare_items);
    for (size_t i = 0; i < p->n; i++) {
        if (f->n > 0 && compare_items(&f->items[f->n - 1], &f->items[i]) == 0)
            tally_add(&f->items[f->n - 1].expected, &f->items[i].expected);
        else
            f->items[f->n++] = f->items[i];
    }
    return 0;
}

/* Its rows are those of a table of the backup: pg_dump loads some partitions through their root. */
static bool is_covered(const struct proof *f, const struct proof_fact *fact)
{
    const struct proof_fact *root = proof_facts_find(&f->facts, fact->root_schema, fact->root_name);

    return root != NULL && root->expected;
}

/* Pairs them with the database's tables; what has rows there and is in no backup is compared with nothing. */
static void match(struct proof *f)
{
    for (size_t i = 0; i < f->n; i++) {
        struct proof_fact *fact = proof_facts_find(&f->facts, f->items[i].schema, f->items[i].name);

        f->items[i].fact = fact;
        if (fact != NULL)
            fact->expected = true;
    }
    for (size_t i = 0; i < f->facts.n && !f->p->partial; i++) {
        const struct proof_fact *fact = &f->facts.items[i];

        if (!fact->expected && fact->kind == 'r' && !fact->of_extension && fact->bytes > 0 && !is_covered(f, fact))
            f->items[f->n++] = (struct item){ .schema = fact->schema, .name = fact->name, .fact = fact, .extra = true };
    }
}

/* ---- the queries ------------------------------------------------------------------------------------------------- */

static int add_part(struct proof *f, struct part part, struct err *err)
{
    if (f->n_parts == f->room) {
        size_t room = f->room ? f->room * 2 : 64;
        struct part *parts = realloc(f->parts, room * sizeof *parts);

        if (parts == NULL)
            return err_no_memory(err);
        f->parts = parts;
        f->room = room;
    }
    f->parts[f->n_parts++] = part;
    return 0;
}

static int heavier(const void *a, const void *b)
{
    const struct part *x = a, *y = b;

    return (x->weight < y->weight) - (x->weight > y->weight);
}

/* A table in as many parts as keep all hands busy; ranges of ctid are only read as such from 14 on. */
static int split(struct proof *f, struct item *item, uint64_t most, struct err *err)
{
    const struct proof_fact *fact = item->fact;
    uint64_t parts = fact->bytes / most;
    bool splits = f->version >= 140000 && f->p->jobs > 1 && fact->kind == 'r' && !f->p->counts_only && !item->extra;
    uint64_t pages;

    if (!splits || parts < 2 || fact->pages < parts)
        return add_part(f, (struct part){ .item = item, .weight = fact->bytes }, err);
    pages = fact->pages / parts + 1;
    for (uint64_t from = 0; from < fact->pages; from += pages) {
        struct part part = { item, true, from + pages >= fact->pages, from, from + pages, fact->bytes / parts };

        if (add_part(f, part, err) < 0)
            return -1;
    }
    return 0;
}

static int plan_parts(struct proof *f, struct err *err)
{
    uint64_t total = 0, most;

    for (size_t i = 0; i < f->n; i++)
        if (f->items[i].fact != NULL && !f->items[i].checked)
            total += f->items[i].fact->bytes;
    most = total / (f->p->jobs * 4 + 1);
    if (most < PART_BYTES)
        most = PART_BYTES;
    f->n_parts = 0;
    for (size_t i = 0; i < f->n; i++)
        if (f->items[i].fact != NULL && !f->items[i].checked && split(f, &f->items[i], most, err) < 0)
            return -1;
    if (f->n_parts > 1)
        qsort(f->parts, f->n_parts, sizeof *f->parts, heavier);
    return 0;
}

static void put_table(struct buf *sql, const struct item *item)
{
    conn_quote_name(sql, item->schema);
    buf_putc(sql, '.');
    conn_quote_name(sql, item->name);
}

static void put_columns(struct buf *sql, const struct item *item)
{
    for (size_t i = 0; i < item->n_columns; i++) {
        buf_puts(sql, i > 0 ? ", " : "");
        conn_quote_name(sql, item->columns[i]);
    }
}

static void put_count(struct buf *sql, const struct item *item)
{
    buf_puts(sql, "SELECT pg_catalog.count(*) FROM ");
    buf_puts(sql, item->fact->kind == 'r' ? "ONLY " : "");
    put_table(sql, item);
    buf_printf(sql, " %s", item->fact->condition);
}

/* Plain COPY where it can be had: it is the faster. */
static void put_copy(struct buf *sql, const struct part *part)
{
    const struct item *item = part->item;
    const struct proof_fact *fact = item->fact;
    bool simple = fact->kind == 'r' && !part->ranged && *fact->condition == '\0';

    buf_puts(sql, "COPY ");
    if (simple) {
        put_table(sql, item);
        if (item->n_columns > 0) {
            buf_puts(sql, " (");
            put_columns(sql, item);
            buf_putc(sql, ')');
        }
    } else {
        buf_puts(sql, "(SELECT ");
        put_columns(sql, item);
        buf_puts(sql, fact->kind == 'r' ? " FROM ONLY " : " FROM ");
        put_table(sql, item);
        buf_printf(sql, " %s", fact->condition);
        if (part->ranged) {
            buf_puts(sql, *fact->condition ? " AND " : " WHERE ");
            buf_printf(sql, "ctid >= '(%llu,0)'", (unsigned long long)part->from);
            if (!part->last)
                buf_printf(sql, " AND ctid < '(%llu,0)'", (unsigned long long)part->to);
        }
        buf_putc(sql, ')');
    }
    buf_puts(sql, " TO STDOUT");
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int read_count(PGconn *c, const char *sql, struct tally *t, struct err *err)
{
    char *value = conn_value(c, ERR_RESTORE, err, sql, 0, NULL);

    if (value != NULL)
        t->rows = strtoull(value, NULL, 10);
    free(value);
    return value != NULL ? 0 : -1;
}

static int read_part(PGconn *c, size_t i, void *cookie, struct err *err)
{
    struct proof *f = cookie;
    struct part *part = &f->parts[i];
    struct item *item = part->item;
    struct tally tally = { 0 };
    struct buf sql;
    int rc = -1;

    buf_init(&sql, MAX_SQL);
    if (item == NULL) {
        rc = f->p->counts_only
               ? read_count(c, "SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata", &tally, err)
               : proof_read_objects(c, &tally, err);
    } else if (f->p->counts_only || item->extra) {
        put_count(&sql, item);
        rc = buf_check(&sql, err) < 0 ? -1 : read_count(c, sql.data, &tally, err);
    } else {
        put_copy(&sql, part);
        rc = buf_check(&sql, err) < 0 ? -1 : proof_read_copy(c, sql.data, &tally, err);
    }
    buf_release(&sql);
    if (rc < 0)
        return -1;
    pthread_mutex_lock(&f->lock);
    tally_add(item != NULL ? &item->found : &f->objects, &tally);
    pthread_mutex_unlock(&f->lock);
    return 0;
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

static bool same(const struct proof *f, const struct tally *a, const struct tally *b)
{
    return f->p->counts_only ? a->rows == b->rows : tally_same(a, b);
}

static void describe(const struct item *item, char *out, size_t n)
{
    char expected[TALLY_TEXT], found[TALLY_TEXT], rows[TEXT_SHORT], there[TEXT_SHORT];

    text_count(rows, item->expected.rows);
    text_count(there, item->found.rows);
    if (item->fact == NULL)
        snprintf(out, n, "table %s.%s is missing; the backup has it with %s rows", item->schema, item->name, rows);
    else if (item->extra)
        snprintf(out, n, "table %s.%s has %s rows, and is not in the backup", item->schema, item->name, there);
    else if (item->found.rows != item->expected.rows)
        snprintf(out, n, "table %s.%s: expected %s rows, found %s", item->schema, item->name, rows, there);
    else
        snprintf(out, n, "table %s.%s: its %s rows are not those of the backup: expected fingerprint %s, found %s",
                 item->schema, item->name, rows, tally_fingerprint(expected, &item->expected),
                 tally_fingerprint(found, &item->found));
}

static void differs(const char *line, size_t *differences, struct err *err)
{
    if (*differences == 0)
        err_set(err, ERR_PROOF, "the restored database is not what was backed up: %s", line);
    else if (*differences < SHOWN)
        log_warn("and %s", line);
    (*differences)++;
}

static void tell(const struct proof *f, const struct item *item, bool good)
{
    const struct proof_listener *l = f->p->listener;

    if (l != NULL)
        l->tell(l->cookie, &(struct proof_finding){ .schema = item->schema,
                                                    .name = item->name,
                                                    .expected = item->extra ? NULL : &item->expected,
                                                    .found = item->fact != NULL ? &item->found : NULL,
                                                    .same = good });
}

static int judge(const struct proof *f, struct err *err)
{
    size_t differences = 0;
    char line[700];

    for (size_t i = 0; i < f->n; i++) {
        const struct item *item = &f->items[i];
        bool good = item->checked || (item->fact != NULL && same(f, &item->expected, &item->found));

        tell(f, item, good);
        if (good)
            continue;
        describe(item, line, sizeof line);
        differs(line, &differences, err);
    }
    if (f->p->objects != NULL && !same(f, f->p->objects, &f->objects)) {
        snprintf(line, sizeof line, "large objects: expected %llu, found %llu%s",
                 (unsigned long long)f->p->objects->rows, (unsigned long long)f->objects.rows,
                 f->p->objects->rows == f->objects.rows ? ", with other content" : "");
        differs(line, &differences, err);
    }
    if (differences > SHOWN)
        log_warn("and %zu more", differences - SHOWN);
    return differences > 0 ? -1 : 0;
}

/* ---- the session ------------------------------------------------------------------------------------------------- */

/* A value of a session option: its spaces and backslashes are not the ends of it. */
static void put_option(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, " -c %s=", name);
    for (; *value != '\0'; value++) {
        if (strchr(" \t\n\\", *value) != NULL)
            buf_putc(out, '\\');
        buf_putc(out, *value);
    }
}

/* Is it a locale of this server? Money looks different without it, and a session can't be had with a wrong one. */
static bool is_accepted(PGconn *c, const char *setting, const char *value)
{
    const char *params[] = { setting, value };
    struct err ignored = { 0 };
    char *set = conn_value(c, ERR_RESTORE, &ignored, "SELECT pg_catalog.set_config($1, $2, false)", 2, params);
    bool accepted = set != NULL;

    free(set);
    return accepted;
}

static int make_session(struct proof *f, PGconn *c, const char *zone, struct err *err)
{
    const struct proof_params *p = f->p;
    struct buf options;

    buf_init(&options, 4096);
    buf_puts(&options,
             "-c bytea_output=hex -c row_security=off -c quote_all_identifiers=off -c synchronize_seqscans=off"
             " -c max_parallel_workers_per_gather=0 -c default_transaction_read_only=on");
    put_option(&options, "TimeZone", zone);
    if (p->encoding != NULL && *p->encoding != '\0')
        put_option(&options, "client_encoding", p->encoding);
    if (p->lc_monetary != NULL && *p->lc_monetary != '\0') {
        if (is_accepted(c, "lc_monetary", p->lc_monetary))
            put_option(&options, "lc_monetary", p->lc_monetary);
        else
            log_warn("this server does not know the locale %s: amounts of money may seem to differ", p->lc_monetary);
    }
    free(f->session);
    f->session = buf_take(&options, err);
    return f->session != NULL ? 0 : -1;
}

/* ---- dumps of other tools ---------------------------------------------------------------------------------------- */

/* Marks as checked what is the same, and forgets what was read of the rest. Returns how many differ with equal counts. */
static size_t settle_equal(struct proof *f)
{
    size_t left = 0;

    for (size_t i = 0; i < f->n; i++) {
        struct item *item = &f->items[i];

        if (item->checked || item->fact == NULL)
            continue;
        item->checked = same(f, &item->expected, &item->found);
        left += !item->checked && !item->extra && item->expected.rows == item->found.rows;
    }
    return left;
}

static int read_again(struct proof *f, PGconn *c, struct err *err)
{
    char *zone = conn_value(c, ERR_RESTORE, err, "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'TimeZone'",
                            0, NULL);
    int rc = -1;

    if (zone == NULL || make_session(f, c, zone, err) < 0)
        goto out;
    for (size_t i = 0; i < f->n; i++)
        if (!f->items[i].checked)
            f->items[i].found = (struct tally){ 0 };
    if (plan_parts(f, err) == 0)
        rc = crew_run(f->p->target, f->session, f->p->jobs, f->n_parts, read_part, f, err);
out:
    free(zone);
    return rc;
}

/* pg_dump writes times in the zone of its session, and no archive tells which that was. So what differs is read in the
 * server's own zone; and what still does, although the rows are as many, can't be judged when its types vary so. */
static int excuse_settings(struct proof *f, PGconn *c, struct err *err)
{
    struct names unjudged = { 0 };
    struct buf list;
    int rc = -1;

    buf_init(&list, 4096);
    if (settle_equal(f) > 0 && (read_again(f, c, err) < 0 || (settle_equal(f), false)))
        goto out;
    for (size_t i = 0; i < f->n; i++) {
        struct item *item = &f->items[i];
        bool varies = false;

        if (item->checked || item->extra || item->fact == NULL || item->expected.rows != item->found.rows)
            continue;
        if (proof_facts_varies(c, item->schema, item->name, &varies, err) < 0)
            goto out;
        item->checked = varies;
        if (varies && names_add(&unjudged, item->name, err) < 0)
            goto out;
    }
    if (unjudged.n > 0) {
        names_list(&list, &unjudged);
        log_warn("compared by the number of rows only: %s (a dump of another tool does not tell in which time zone and "
                 "form it was written)",
                 list.data);
    }
    rc = 0;
out:
    names_release(&unjudged);
    buf_release(&list);
    return rc;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static uint64_t sum_rows(const struct proof *f)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < f->n; i++)
        rows += f->items[i].found.rows;
    return rows;
}

int proof_run(const struct proof_params *p, uint64_t *rows, struct err *err)
{
    struct proof f = { .p = p, .lock = PTHREAD_MUTEX_INITIALIZER };
    PGconn *c = conn_open(p->target, NULL, err);
    int rc = -1;

    if (c == NULL)
        return -1;
    f.version = PQserverVersion(c);
    if (proof_facts_read(c, true, &f.facts, err) < 0 || collect_expected(&f, err) < 0 ||
        make_session(&f, c, "UTC", err) < 0)
        goto out;
    match(&f);
    if (plan_parts(&f, err) < 0 || (p->objects != NULL && add_part(&f, (struct part){ .item = NULL }, err) < 0))
        goto out;
    if (crew_run(p->target, f.session, p->jobs, f.n_parts, read_part, &f, err) < 0)
        goto out;
    *rows = sum_rows(&f);
    if (p->settings_unknown && !p->counts_only && excuse_settings(&f, c, err) < 0)
        goto out;
    rc = judge(&f, err);
out:
    conn_close(c);
    proof_facts_release(&f.facts);
    free(f.items);
    free(f.parts);
    free(f.session);
    pthread_mutex_destroy(&f.lock);
    return rc;
}

int proof_count(const struct target *target, unsigned jobs, uint64_t *tables, uint64_t *rows, struct err *err)
{
    struct proof_params p = { .target = target, .jobs = jobs, .counts_only = true };
    struct proof f = { .p = &p, .lock = PTHREAD_MUTEX_INITIALIZER };
    PGconn *c = conn_open(target, NULL, err);
    int rc = -1;

    if (c == NULL)
        return -1;
    if (proof_facts_read(c, true, &f.facts, err) < 0 || collect_expected(&f, err) < 0)
        goto out;
    match(&f);
    if (plan_parts(&f, err) < 0 || crew_run(target, NULL, jobs, f.n_parts, read_part, &f, err) < 0)
        goto out;
    *rows = sum_rows(&f);
    *tables = 0;
    for (size_t i = 0; i < f.facts.n; i++)
        *tables += f.facts.items[i].kind == 'r' && !f.facts.items[i].of_extension;
    rc = 0;
out:
    conn_close(c);
    proof_facts_release(&f.facts);
    free(f.items);
    free(f.parts);
    pthread_mutex_destroy(&f.lock);
    return rc;
}
