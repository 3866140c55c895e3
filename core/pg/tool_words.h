/* SPDX-License-Identifier: PostgreSQL */
/* tool_words.h - what a failed program of PostgreSQL meant, in one line.
 *
 * Pure. The first error it reported is the cause, later ones are mostly consequences: that one is quoted with its detail,
 * without the program's name on every line, and the others are counted.
 */
#pragma once
#include "core/base/err.h"

#define TOOL_WORDS_MAX (256 * 1024)

/* Fills err. text: its standard error, the first TOOL_WORDS_MAX bytes at most; is changed. status: of waitpid(). A full
 * disk on this side is ERR_SPACE, whatever `class` says. */
void tool_words(const char *program, char *text, int status, enum err_class class, struct err *err);
