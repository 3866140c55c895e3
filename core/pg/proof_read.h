/* SPDX-License-Identifier: PostgreSQL */
/* proof_read.h - for proof.c alone: reads what a table or the large objects hold, and tallies it. */
#pragma once
#include "core/pg/conn.h"
#include "core/pg/tally.h"

/* sql: a COPY ... TO STDOUT in text form. */
int proof_read_copy(PGconn *c, const char *sql, struct tally *t, struct err *err);
int proof_read_objects(PGconn *c, struct tally *t, struct err *err);
