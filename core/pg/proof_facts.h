/* SPDX-License-Identifier: PostgreSQL */
/* proof_facts.h - for proof.c and census.c: the tables that a database has, as its catalog tells. */
#pragma once
#include "core/pg/proof.h"

struct proof_fact { /* strings point into the result */
    const char *schema, *name;
    const char *condition; /* of an extension's configuration table: the WHERE that pg_dump applies; "" when none */
    char kind;             /* pg_class.relkind: r, p or f */
    bool of_extension;
    const char *root_schema, *root_name; /* of a partition: the table it is part of at last; "" when it is none */
    bool expected;                       /* somebody found it */
    uint64_t bytes;                      /* with TOAST */
    uint64_t pages;                      /* without */
};

struct proof_facts {
    PGresult *result;
    struct proof_fact *items; /* by schema, then name */
    size_t n;
};

/* Sizes (bytes, pages) need a lock on every table: without them nobody is waited for. */
int proof_facts_read(PGconn *c, bool with_sizes, struct proof_facts *out, struct err *err);
void proof_facts_release(struct proof_facts *f);
struct proof_fact *proof_facts_find(const struct proof_facts *f, const char *schema, const char *name); /* or NULL */

/* Does the text of this table's rows depend on settings that pg_dump leaves as they are? (Times with a zone, money,
 * bytea, types of extensions.) */
int proof_facts_varies(PGconn *c, const char *schema, const char *name, bool *varies, struct err *err);
