/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/sqltext.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct sql_reader sql_reader(const char *text, size_t n)
{
    return (struct sql_reader){ text, text + n };
}

/* ---- the characters of words: everything beyond ASCII may be part of one ----------------------------------------- */

static bool starts_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool in_word(char c)
{
    return starts_word(c) || is_digit(c) || c == '$';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* ---- what is longer than a word ------------------------------------------------------------------------------------ */

static const char *after_line(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));

    return newline != NULL ? newline + 1 : end;
}

static const char *after_comment(const char *at, const char *end)
{
    int depth = 0;

    while (end - at >= 2) {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at += 2;
        } else if (at[0] == '*' && at[1] == '/') {
            depth--;
            at += 2;
            if (depth == 0)
                return at;
        } else {
            at++;
        }
    }
    return end;
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end) {
        if (is_space(*at))
            at++;
        else if (end - at >= 2 && at[0] == '-' && at[1] == '-')
            at = after_line(at, end);
        else if (end - at >= 2 && at[0] == '/' && at[1] == '*')
            at = after_comment(at, end);
        else
            break;
    }
    return at;
}

/* at stands on the opening quote; a doubled one is part of what is quoted. */
static const char *after_quoted(const char *at, const char *end, bool backslashes)
{
    char quote = *at++;

    while (at < end) {
        if (*at == quote && at + 1 < end && at[1] == quote)
            at += 2;
        else if (*at == quote)
            return at + 1;
        else if (backslashes && *at == '\\' && at + 1 < end)
            at += 2;
        else
            at++;
    }
    return end;
}

/* at stands on a '$'. NULL: it begins no dollar quote. */
static const char *after_dollar(const char *at, const char *end)
{
    const char *tag = at + 1;
    size_t n;

    while (tag < end && in_word(*tag) && *tag != '$')
        tag++;
    if (tag >= end || *tag != '$' || (tag > at + 1 && is_digit(at[1])))
        return NULL;
    n = (size_t)(tag + 1 - at);
    at = memmem(tag + 1, (size_t)(end - tag - 1), at, n);
    return at != NULL ? at + n : end;
}

/* ---- tokens -------------------------------------------------------------------------------------------------------- */

static enum sql_kind token(struct sql_token *t, enum sql_kind kind, const char *text, const char *end)
{
    t->kind = kind;
    t->text = text;
    t->size = (size_t)(end - text);
    return kind;
}

enum sql_kind sql_next(struct sql_reader *r, struct sql_token *t)
{
    const char *from = skip_space(r->at, r->end);
    const char *at = from;
    enum sql_kind kind = SQL_SIGN;

    if (at >= r->end) {
        r->at = r->end;
        return token(t, SQL_END, r->end, r->end);
    }
    if (*at == '\'') {
        kind = SQL_STRING;
        at = after_quoted(at, r->end, false);
    } else if (*at == '"') {
        kind = SQL_NAME;
        at = after_quoted(at, r->end, false);
    } else if (*at == '$' && after_dollar(at, r->end) != NULL) {
        kind = SQL_STRING;
        at = after_dollar(at, r->end);
    } else if ((*at == 'E' || *at == 'e') && r->end - at >= 2 && at[1] == '\'') {
        kind = SQL_STRING;
        at = after_quoted(at + 1, r->end, true);
    } else if (starts_word(*at) || is_digit(*at)) {
        kind = SQL_WORD;
        while (at < r->end && in_word(*at))
            at++;
    } else {
        at++;
    }
    r->at = at;
    return token(t, kind, from, at);
}

bool sql_is_word(const struct sql_token *t, const char *word)
{
    return t->kind == SQL_WORD && strlen(word) == t->size && strncasecmp(t->text, word, t->size) == 0;
}

bool sql_is_sign(const struct sql_token *t, char sign)
{
    return t->kind == SQL_SIGN && *t->text == sign;
}

char *sql_name(const struct sql_token *t)
{
    size_t n = 0;
    char *name;

    if (t->kind != SQL_WORD && t->kind != SQL_NAME)
        return NULL;
    name = calloc(1, t->size + 1);
    if (name == NULL)
        return NULL;
    if (t->kind == SQL_WORD) {
        for (size_t i = 0; i < t->size; i++) {
            char c = t->text[i];
            name[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        }
    } else {
        for (size_t i = 1; i + 1 < t->size; i++) {
            name[n++] = t->text[i];
            if (t->text[i] == '"') /* doubled */
                i++;
        }
    }
    return name;
}

bool sql_take(struct sql_reader *r, const char *words)
{
    struct sql_reader ahead = *r;
    struct sql_token t;

    while (*words != '\0') {
        size_t n = strcspn(words, " ");

        if (sql_next(&ahead, &t) != SQL_WORD || t.size != n || strncasecmp(t.text, words, n) != 0)
            return false;
        words += n;
        words += *words == ' ';
    }
    *r = ahead;
    return true;
}

bool sql_statement(struct sql_reader *r, struct sql_reader *statement)
{
    const char *from = skip_space(r->at, r->end);
    struct sql_token t;

    while (sql_next(r, &t) != SQL_END && !sql_is_sign(&t, ';'))
        ;
    *statement = (struct sql_reader){ from, t.text };
    return from < r->end || t.kind != SQL_END;
}
