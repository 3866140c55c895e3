/* SPDX-License-Identifier: PostgreSQL */
/* health.c - indexes, constraints and sequences of a restored database. */
#include "core/pg/health.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/pg/crew.h"
#include "core/pg/sqltext.h"

#define SHOWN 5           /* of what is wrong, by name */
#define FIRST_OWN "16384" /* what is below came with the server */
#define OURS "n.nspname NOT IN ('pg_catalog', 'information_schema')"

/* What one part gathers, from several threads. */
struct gathering {
    struct health_finding *finding;
    pthread_mutex_t lock;
    size_t shown, more;
};

struct examination {
    const struct health_params *p;
    PGconn *c;
    struct gathering gathering;             /* of the part that is at work */
    PGresult *subjects;                     /* its indexes or sequences */
    const char *schema;                     /* amcheck's, quoted */
    const struct archive_entry **positions; /* the archive's SEQUENCE SETs, by schema and name */
    size_t n_positions;
};

/* ---- what was found ------------------------------------------------------------------------------------------ */

static void begin(struct examination *x, struct health_finding *finding)
{
    memset(finding, 0, sizeof *finding);
    x->gathering.finding = finding;
    x->gathering.shown = x->gathering.more = 0;
}

static void found(struct gathering *g, enum health_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void found(struct gathering *g, enum health_state state, const char *format, ...)
{
    char *detail = g->finding->detail;
    size_t used;
    va_list args;

    pthread_mutex_lock(&g->lock);
    used = strlen(detail);
    if (state > g->finding->state)
        g->finding->state = state;
    if (g->shown == SHOWN) {
        g->more++;
    } else {
        used += (size_t)snprintf(detail + used, sizeof g->finding->detail - used, "%s", g->shown > 0 ? "; " : "");
        if (used < sizeof g->finding->detail) {
            va_start(args, format);
            vsnprintf(detail + used, sizeof g->finding->detail - used, format, args);
            va_end(args);
        }
        g->shown++;
    }
    pthread_mutex_unlock(&g->lock);
}

/* Nothing wrong: how much was looked at. Else how much more there is. */
static void end(struct gathering *g, size_t looked_at, const char *what)
{
    char *detail = g->finding->detail, count[TEXT_SHORT];
    size_t used = strlen(detail);

    if (g->shown == 0)
        snprintf(detail, sizeof g->finding->detail, "%s %s", text_count(count, looked_at), what);
    else if (g->more > 0 && used < sizeof g->finding->detail)
        snprintf(detail + used, sizeof g->finding->detail - used, "; and %zu more", g->more);
}

static void unknown(struct health_finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void unknown(struct health_finding *finding, const char *format, ...)
{
    va_list args;

    finding->state = HEALTH_UNKNOWN;
    va_start(args, format);
    vsnprintf(finding->detail, sizeof finding->detail, format, args);
    va_end(args);
}

/* A statement failed: is it the examination that broke off, or only this question that has no answer? */
static bool broke_off(PGconn *c, const struct err *err)
{
    return err->class == ERR_SIGNAL || err->class == ERR_INTERNAL || PQstatus(c) != CONNECTION_OK;
}

/* ---- indexes ------------------------------------------------------------------------------------------------- */

/* A partitioned index is invalid while a partition lacks its part, which a dump can't tell from how it was. */
static int examine_indexes(struct examination *x, struct err *err)
{
    PGresult *r = conn_query(x->c, ERR_RESTORE, err,
                             "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind,"
                             " i.indisvalid AND i.indisready FROM pg_catalog.pg_index i"
                             " JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
                             " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                             " WHERE c.relpersistence <> 't' AND n.nspname <> 'pg_toast' AND " OURS " ORDER BY 1",
                             0, NULL);

    if (r == NULL)
        return -1;
    for (int i = 0; i < PQntuples(r); i++)
        if (*PQgetvalue(r, i, 2) != 't')
            found(&x->gathering, *PQgetvalue(r, i, 1) == 'I' ? HEALTH_DOUBTFUL : HEALTH_BAD, "%s is not valid",
                  PQgetvalue(r, i, 0));
    end(&x->gathering, (size_t)PQntuples(r), "indexes");
    PQclear(r);
    return 0;
}

/* ---- amcheck ------------------------------------------------------------------------------------------------- */

static const char own_schema[] = "sfb_drill_amcheck";

/* The schema of amcheck, which is added when it may be; NULL and no err: it can't be had, and the finding says why. */
static char *have_amcheck(struct examination *x, bool *added, struct err *err)
{
    struct health_finding *finding = x->gathering.finding;
    struct err why = { 0 };
    char *schema = conn_value(x->c, ERR_RESTORE, err,
                              "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e"
                              " JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'",
                              0, NULL);

    *added = false;
    if (schema == NULL || *schema != '\0')
        return schema;
    free(schema);
    if (!x->p->may_add) {
        unknown(finding, "the database does not have the extension amcheck, and nothing is added to it");
        return NULL;
    }
    if (conn_execf(x->c, ERR_RESTORE, &why, "BEGIN; CREATE SCHEMA %s; CREATE EXTENSION amcheck SCHEMA %s; COMMIT",
                   own_schema, own_schema) < 0) {
        conn_exec(x->c, ERR_RESTORE, &(struct err){ 0 }, "ROLLBACK");
        if (broke_off(x->c, &why)) {
            *err = why;
            return NULL;
        }
        unknown(finding, "the extension amcheck can't be had: %s", why.message);
        return NULL;
    }
    *added = true;
    schema = strdup(own_schema);
    if (schema == NULL)
        err_no_memory(err);
    return schema;
}

static int check_index(PGconn *c, size_t i, void *cookie, struct err *err)
{
    struct examination *x = cookie;
    const char *oid = PQgetvalue(x->subjects, (int)i, 0), *name = PQgetvalue(x->subjects, (int)i, 1);
    struct err why = { 0 };

    if (conn_execf(c, ERR_RESTORE, &why, "SELECT %s.bt_index_check(%s::pg_catalog.oid::pg_catalog.regclass)", x->schema,
                   oid) == 0)
        return 0;
    if (broke_off(c, &why)) {
        *err = why;
        return -1;
    }
    found(&x->gathering, HEALTH_BAD, "%s: %s", name, why.message);
    return 0;
}

static int check_trees(struct examination *x, struct err *err)
{
    int rc;

    x->subjects = conn_query(x->c, ERR_RESTORE, err,
                             "SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname)"
                             " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
                             " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                             " JOIN pg_catalog.pg_am a ON a.oid = c.relam"
                             " WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence <> 't'"
                             " AND i.indisvalid AND i.indisready AND c.oid >= " FIRST_OWN
                             " ORDER BY pg_catalog.pg_relation_size(c.oid) DESC",
                             0, NULL);
    if (x->subjects == NULL)
        return -1;
    rc = crew_run(x->p->target, NULL, x->p->jobs, (size_t)PQntuples(x->subjects), check_index, x, err);
    if (rc == 0)
        end(&x->gathering, (size_t)PQntuples(x->subjects), "B-tree indexes, every page of them");
    PQclear(x->subjects);
    x->subjects = NULL;
    return rc;
}

static int examine_trees(struct examination *x, struct err *err)
{
    struct err ignored = { 0 };
    bool added;
    char *schema = have_amcheck(x, &added, err);
    int rc;

    if (schema == NULL)
        return err->class != ERR_NONE ? -1 : 0;
    x->schema = schema;
    rc = check_trees(x, err);
    if (added && conn_execf(x->c, ERR_RESTORE, &ignored, "DROP SCHEMA %s CASCADE", own_schema) < 0)
        log_warn("schema %s is left over in the drill's database: %s", own_schema, ignored.message);
    free(schema);
    return rc;
}

/* ---- constraints --------------------------------------------------------------------------------------------- */

/* At its end: a column may be called valid, and be denied in the middle of a check. */
static bool says_not_valid(const char *statement)
{
    struct sql_reader r = sql_reader(statement, strlen(statement));
    struct sql_token t;
    bool said = false;

    for (;;) {
        if (sql_take(&r, "NOT VALID"))
            said = true;
        else if (sql_next(&r, &t) == SQL_END)
            return said;
        else if (!sql_is_sign(&t, ';'))
            said = false;
    }
}

bool health_is_not_valid(const struct archive *a, const char *schema, const char *tag)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct archive_entry *e = &a->entries[i];

        if (e->desc != NULL && text_ends(e->desc, "CONSTRAINT") && e->tag != NULL && strcmp(e->tag, tag) == 0 &&
            e->schema != NULL && strcmp(e->schema, schema) == 0 && e->defn != NULL)
            return says_not_valid(e->defn);
    }
    return false;
}

/* Those that came with a parent's are dumped with it. Of the columns that not every server has, JSON knows. */
static int examine_constraints(struct examination *x, struct err *err)
{
    const struct archive *a = x->p->archive;
    PGresult *r = conn_query(x->c, ERR_RESTORE, err,
                             "SELECT n.nspname, coalesce(c.relname, t.typname) || ' ' || k.conname, k.convalidated OR"
                             " NOT coalesce((pg_catalog.to_jsonb(k)->>'conenforced')::bool, true)"
                             " OR coalesce((pg_catalog.to_jsonb(k)->>'conparentid')::int8, 0) <> 0"
                             " OR (k.coninhcount > 0 AND NOT k.conislocal)"
                             " FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace"
                             " LEFT JOIN pg_catalog.pg_class c ON c.oid = k.conrelid"
                             " LEFT JOIN pg_catalog.pg_type t ON t.oid = k.contypid"
                             " WHERE (c.oid IS NOT NULL OR t.oid IS NOT NULL) AND " OURS " ORDER BY 1, 2",
                             0, NULL);

    if (r == NULL)
        return -1;
    for (int i = 0; i < PQntuples(r); i++) {
        const char *schema = PQgetvalue(r, i, 0), *tag = PQgetvalue(r, i, 1);

        if (*PQgetvalue(r, i, 2) == 't')
            continue;
        if (a == NULL)
            found(&x->gathering, HEALTH_DOUBTFUL, "%s.%s is not validated", schema, tag);
        else if (health_is_not_valid(a, schema, tag))
            found(&x->gathering, HEALTH_DOUBTFUL, "%s.%s is NOT VALID, as in the backup", schema, tag);
        else
            found(&x->gathering, HEALTH_BAD, "%s.%s is not validated, and was in the backup", schema, tag);
    }
    end(&x->gathering, (size_t)PQntuples(r), "constraints");
    PQclear(r);
    return 0;
}

/* ---- sequences ----------------------------------------------------------------------------------------------- */

/* "SELECT pg_catalog.setval('public.s', 42, true);" */
bool health_sequence_of(const struct archive_entry *e, struct health_position *out)
{
    struct sql_reader r;
    struct sql_token t;
    bool negative;

    if (e->desc == NULL || strcmp(e->desc, "SEQUENCE SET") != 0 || e->defn == NULL)
        return false;
    r = sql_reader(e->defn, strlen(e->defn));
    while (sql_next(&r, &t) != SQL_STRING)
        if (t.kind == SQL_END)
            return false;
    if (sql_next(&r, &t) != SQL_SIGN || !sql_is_sign(&t, ','))
        return false;
    sql_next(&r, &t);
    negative = sql_is_sign(&t, '-');
    if (negative)
        sql_next(&r, &t);
    if (t.kind != SQL_WORD || t.size == 0 || t.size > sizeof out->last - 2)
        return false;
    snprintf(out->last, sizeof out->last, "%s%.*s", negative ? "-" : "", (int)t.size, t.text);
    if (sql_next(&r, &t) != SQL_SIGN || !sql_is_sign(&t, ',') || sql_next(&r, &t) != SQL_WORD)
        return false;
    out->called = sql_is_word(&t, "true");
    return out->called || sql_is_word(&t, "false");
}

static int compare_positions(const void *a, const void *b)
{
    const struct archive_entry *x = *(const struct archive_entry *const *)a;
    const struct archive_entry *y = *(const struct archive_entry *const *)b;
    int order = strcmp(x->schema, y->schema);

    return order != 0 ? order : strcmp(x->tag, y->tag);
}

static int collect_positions(struct examination *x, struct err *err)
{
    const struct archive *a = x->p->archive;

    if (a == NULL)
        return 0;
    x->positions = calloc(a->n + 1, sizeof *x->positions);
    if (x->positions == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < a->n; i++) {
        const struct archive_entry *e = &a->entries[i];

        if (e->desc != NULL && strcmp(e->desc, "SEQUENCE SET") == 0 && e->schema != NULL && e->tag != NULL)
            x->positions[x->n_positions++] = e;
    }
    qsort(x->positions, x->n_positions, sizeof *x->positions, compare_positions);
    return 0;
}

static bool find_position(const struct examination *x, const char *schema, const char *name,
                          struct health_position *out)
{
    const struct archive_entry key = { .schema = schema, .tag = name }, *at = &key;
    const struct archive_entry **e = x->n_positions > 0 ? bsearch(&at, x->positions, x->n_positions,
                                                                  sizeof *x->positions, compare_positions)
                                                        : NULL;

    return e != NULL && health_sequence_of(*e, out);
}

enum {
    SUBJECT_SCHEMA,
    SUBJECT_NAME,
    SUBJECT_STEP,
    SUBJECT_CYCLES,
    SUBJECT_TABLE_SCHEMA,
    SUBJECT_TABLE,
    SUBJECT_COLUMN
};

/* What the sequence would give next, and how far the column that owns it has got; the arithmetic is the server's. */
static PGresult *read_sequence(PGconn *c, const PGresult *s, int i, const struct health_position *expected,
                               struct err *err)
{
    const char *step = PQgetvalue(s, i, SUBJECT_STEP);
    bool down = *step == '-', owned = !PQgetisnull(s, i, SUBJECT_COLUMN) && *PQgetvalue(s, i, SUBJECT_CYCLES) != 't';
    struct buf sql;
    PGresult *r = NULL;

    buf_init(&sql, 65536);
    buf_printf(&sql,
               "SELECT next, reached, coalesce(next %s reached, false), coalesce(next %s expected, false), expected"
               " FROM (SELECT last_value::numeric + CASE WHEN is_called THEN %s ELSE 0 END AS next, ",
               down ? ">=" : "<=", down ? ">" : "<", step);
    if (owned) {
        buf_printf(&sql, "(SELECT pg_catalog.%s(", down ? "min" : "max");
        conn_quote_name(&sql, PQgetvalue(s, i, SUBJECT_COLUMN));
        buf_puts(&sql, ") FROM ");
        conn_quote_name(&sql, PQgetvalue(s, i, SUBJECT_TABLE_SCHEMA));
        buf_putc(&sql, '.');
        conn_quote_name(&sql, PQgetvalue(s, i, SUBJECT_TABLE));
        buf_puts(&sql, ")::numeric AS reached, ");
    } else {
        buf_puts(&sql, "NULL::numeric AS reached, ");
    }
    if (expected != NULL)
        buf_printf(&sql, "%s::numeric + %s AS expected FROM ", expected->last, expected->called ? step : "0");
    else
        buf_puts(&sql, "NULL::numeric AS expected FROM ");
    conn_quote_name(&sql, PQgetvalue(s, i, SUBJECT_SCHEMA));
    buf_putc(&sql, '.');
    conn_quote_name(&sql, PQgetvalue(s, i, SUBJECT_NAME));
    buf_puts(&sql, ") s");
    if (buf_check(&sql, err) == 0)
        r = conn_query(c, ERR_RESTORE, err, sql.data, 0, NULL);
    buf_release(&sql);
    return r;
}

static int check_sequence(PGconn *c, size_t number, void *cookie, struct err *err)
{
    struct examination *x = cookie;
    int i = (int)number;
    const char *schema = PQgetvalue(x->subjects, i, SUBJECT_SCHEMA), *name = PQgetvalue(x->subjects, i, SUBJECT_NAME);
    struct health_position expected;
    bool known = find_position(x, schema, name, &expected);
    struct err why = { 0 };
    PGresult *r = read_sequence(c, x->subjects, i, known ? &expected : NULL, &why);

    if (r == NULL && broke_off(c, &why)) {
        *err = why;
        return -1;
    }
    if (r == NULL)
        found(&x->gathering, HEALTH_DOUBTFUL, "%s.%s can't be checked: %s", schema, name, why.message);
    else if (*PQgetvalue(r, 0, 3) == 't')
        found(&x->gathering, HEALTH_BAD, "%s.%s would give %s next; in the backup it was %s", schema, name,
              PQgetvalue(r, 0, 0), PQgetvalue(r, 0, 4));
    else if (*PQgetvalue(r, 0, 2) == 't')
        found(&x->gathering, HEALTH_DOUBTFUL, "%s.%s would give %s next, but %s.%s is at %s already%s", schema, name,
              PQgetvalue(r, 0, 0), PQgetvalue(x->subjects, i, SUBJECT_TABLE),
              PQgetvalue(x->subjects, i, SUBJECT_COLUMN), PQgetvalue(r, 0, 1), known ? ", as in the backup" : "");
    PQclear(r);
    return 0;
}

static int examine_sequences(struct examination *x, struct err *err)
{
    int rc = -1;

    if (PQserverVersion(x->c) < 100000) { /* without pg_sequence */
        unknown(x->gathering.finding, "PostgreSQL 10 or newer is needed to tell");
        return 0;
    }
    if (collect_positions(x, err) < 0)
        return -1;
    x->subjects = conn_query(x->c, ERR_RESTORE, err,
                             "SELECT n.nspname, c.relname, q.seqincrement, q.seqcycle, o.schema, o.name, o.attname"
                             " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                             " JOIN pg_catalog.pg_sequence q ON q.seqrelid = c.oid"
                             " LEFT JOIN (SELECT d.objid, tn.nspname AS schema, t.relname AS name, a.attname"
                             "  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class t ON t.oid = d.refobjid"
                             "  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace"
                             "  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid"
                             "  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid = 0"
                             "  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0"
                             "  AND d.deptype IN ('a', 'i') AND t.relkind IN ('r', 'p')"
                             "  AND a.atttypid IN ('int2'::pg_catalog.regtype, 'int4'::pg_catalog.regtype,"
                             "  'int8'::pg_catalog.regtype, 'numeric'::pg_catalog.regtype)) o ON o.objid = c.oid"
                             " WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND " OURS " ORDER BY 1, 2",
                             0, NULL);
    if (x->subjects != NULL)
        rc = crew_run(x->p->target, NULL, x->p->jobs, (size_t)PQntuples(x->subjects), check_sequence, x, err);
    if (rc == 0)
        end(&x->gathering, (size_t)PQntuples(x->subjects), "sequences");
    PQclear(x->subjects);
    x->subjects = NULL;
    return rc;
}

/* ---- all of it ----------------------------------------------------------------------------------------------- */

int health_examine(const struct health_params *p, struct health_finding out[HEALTH_PARTS], struct err *err)
{
    static int (*const parts[])(struct examination * x, struct err * err) = {
        [HEALTH_INDEXES] = examine_indexes,
        [HEALTH_SOUND] = examine_trees,
        [HEALTH_CONSTRAINTS] = examine_constraints,
        [HEALTH_SEQUENCES] = examine_sequences,
    };
    struct examination x = { .p = p, .gathering = { .lock = PTHREAD_MUTEX_INITIALIZER } };
    int rc = 0;

    for (size_t i = 0; i < HEALTH_PARTS; i++)
        unknown(&out[i], "not reached");
    x.c = conn_open(p->target, NULL, err);
    if (x.c == NULL)
        return -1;
    for (size_t i = 0; rc == 0 && i < HEALTH_PARTS; i++) {
        begin(&x, &out[i]);
        rc = parts[i](&x, err);
        if (rc < 0)
            unknown(&out[i], "%s", err->message);
    }
    conn_close(x.c);
    free(x.positions);
    pthread_mutex_destroy(&x.gathering.lock);
    return rc;
}
