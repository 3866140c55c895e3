/* SPDX-License-Identifier: PostgreSQL */
/* census.c - how many rows the tables of a live database have. */
#include "core/pg/census.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/pg/proof_facts.h"

#define SESSION                                                                       \
    "-c default_transaction_read_only=on -c lock_timeout=2s -c statement_timeout=60s" \
    " -c max_parallel_workers_per_gather=0"

static int compare(const void *a, const void *b)
{
    const struct census_table *x = a, *y = b;
    int order = strcmp(x->schema, y->schema);

    return order != 0 ? order : strcmp(x->name, y->name);
}

const struct census_table *census_find(const struct census *c, const char *schema, const char *name)
{
    struct census_table key = { .schema = (char *)(uintptr_t)schema, .name = (char *)(uintptr_t)name };

    return c->n > 0 ? bsearch(&key, c->tables, c->n, sizeof *c->tables, compare) : NULL;
}

static bool is_wanted(const struct census_params *p, const char *schema, const char *name)
{
    return p->wanted != NULL && p->wanted(p->cookie, schema, name);
}

static bool is_counted(const struct census_params *p, const struct proof_fact *f)
{
    if (f->kind == 'f' || ((f->kind == 'p' || f->of_extension) && !is_wanted(p, f->schema, f->name)))
        return false;
    return f->kind != 'r' || *f->root_name == '\0' || !is_wanted(p, f->root_schema, f->root_name);
}

static void put_name(struct buf *out, const struct proof_fact *f)
{
    conn_quote_name(out, f->schema);
    buf_putc(out, '.');
    conn_quote_name(out, f->name);
}

/* One statement decides, and locks this table alone. reltuples was true of relpages; below 0 (before 14: both 0), nobody
 * has ever looked. */
static void put_query(struct buf *sql, const struct census_params *p, const struct proof_fact *f)
{
    struct buf name;

    buf_init(&name, 1024);
    put_name(&name, f);
    buf_printf(sql,
               "SELECT s.size > %llu, CASE WHEN s.size <= %llu THEN (SELECT pg_catalog.count(*) FROM %s%s %s)"
               " WHEN s.reltuples >= 0 AND s.relpages > 0"
               " THEN (s.reltuples::numeric / s.relpages * (s.size / s.page))::int8 END"
               " FROM (SELECT c.reltuples, c.relpages, pg_catalog.pg_relation_size(c.oid) AS size,"
               " pg_catalog.current_setting('block_size')::int8 AS page FROM pg_catalog.pg_class c WHERE c.oid = ",
               (unsigned long long)p->counted_bytes, (unsigned long long)p->counted_bytes,
               f->kind == 'r' ? "ONLY " : "", name.data, f->condition);
    conn_quote_text(sql, name.data);
    buf_puts(sql, "::pg_catalog.regclass) s");
    buf_release(&name);
}

static int count(PGconn *c, const struct census_params *p, const struct proof_fact *f, struct census_table *t,
                 struct err *err)
{
    PGresult *r = NULL;
    struct buf sql;

    buf_init(&sql, 65536);
    put_query(&sql, p, f);
    if (buf_check(&sql, err) == 0)
        r = conn_query(c, ERR_RESTORE, err, sql.data, 0, NULL);
    buf_release(&sql);
    if (r != NULL && PQntuples(r) == 1) {
        t->estimated = *PQgetvalue(r, 0, 0) == 't';
        t->known = !PQgetisnull(r, 0, 1);
        t->rows = strtoull(PQgetvalue(r, 0, 1), NULL, 10);
    }
    PQclear(r);
    if (!t->known && err->class == ERR_NONE)
        err_set(err, ERR_RESTORE, "it is too large to be counted, and was never analyzed");
    return t->known ? 0 : -1;
}

static int add(struct census *out, const struct proof_fact *f, struct census_table **t, struct err *err)
{
    *t = &out->tables[out->n];
    (*t)->schema = strdup(f->schema);
    (*t)->name = strdup(f->name);
    out->n++;
    return (*t)->schema != NULL && (*t)->name != NULL ? 0 : err_no_memory(err);
}

/* The facts are sorted, and so are the tables. */
static int count_all(PGconn *c, const struct census_params *p, const struct proof_facts *facts, struct census *out,
                     struct err *err)
{
    for (size_t i = 0; i < facts->n; i++) {
        const struct proof_fact *f = &facts->items[i];
        struct err why = { 0 };
        struct census_table *t;

        if (!is_counted(p, f))
            continue;
        if (add(out, f, &t, err) < 0)
            return -1;
        if (count(c, p, f, t, &why) == 0)
            continue;
        if (why.class == ERR_SIGNAL || why.class == ERR_INTERNAL || PQstatus(c) != CONNECTION_OK) {
            *err = why;
            return -1;
        }
        if (out->unknown++ == 0)
            snprintf(out->why, sizeof out->why, "%.80s.%.80s: %.130s", t->schema, t->name, why.message);
    }
    return 0;
}

int census_take(const struct census_params *p, struct census *out, struct err *err)
{
    struct proof_facts facts = { 0 };
    PGconn *c = NULL;
    int rc = -1;

    memset(out, 0, sizeof *out);
    c = conn_open(p->target, SESSION, err);
    if (c == NULL || proof_facts_read(c, false, &facts, err) < 0)
        goto out;
    out->tables = calloc(facts.n + 1, sizeof *out->tables);
    rc = out->tables != NULL ? count_all(c, p, &facts, out, err) : err_no_memory(err);
out:
    proof_facts_release(&facts);
    conn_close(c);
    return rc;
}

void census_release(struct census *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->tables[i].schema);
        free(c->tables[i].name);
    }
    free(c->tables);
    memset(c, 0, sizeof *c);
}
