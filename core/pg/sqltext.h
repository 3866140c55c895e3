/* SPDX-License-Identifier: PostgreSQL */
/* sqltext.h - SQL cut into words: just enough to see which roles and databases a statement names.
 *
 * Knows quoted names, strings ('', E'', dollar quotes), comments (nested, too) and nothing of grammar. Strings are read
 * as with standard_conforming_strings on, which is how PostgreSQL's programs write them. Looks at memory, changes
 * nothing, never fails: what has no end reaches to the end of the text.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "core/base/err.h"

enum sql_kind {
    SQL_END,
    SQL_WORD,   /* a keyword, a name without quotes, a number */
    SQL_NAME,   /* a name in double quotes */
    SQL_STRING, /* a literal of any kind, with its quotes */
    SQL_SIGN,   /* one other character */
};

struct sql_token {
    enum sql_kind kind;
    const char *text;
    size_t size;
};

struct sql_reader {
    const char *at, *end;
};

struct sql_reader sql_reader(const char *text, size_t n);
enum sql_kind sql_next(struct sql_reader *r, struct sql_token *t); /* t->kind */

bool sql_is_word(const struct sql_token *t, const char *word); /* a word without quotes, in any case */
bool sql_is_sign(const struct sql_token *t, char sign);

/* The name that a SQL_WORD or SQL_NAME stands for: quotes removed, or lower case. Caller frees; NULL: no name, or no
 * memory. */
char *sql_name(const struct sql_token *t);

/* The next tokens are these words ("ALTER DATABASE"): then they are taken. Else the reader stays where it is. */
bool sql_take(struct sql_reader *r, const char *words);

/* The next statement, up to its semicolon, which is taken but not part of it; false: nothing is left. */
bool sql_statement(struct sql_reader *r, struct sql_reader *statement);
