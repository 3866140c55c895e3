/* SPDX-License-Identifier: PostgreSQL */
/* page.h - what a command says about itself: --help, the man page, shell completion, from one description.
 *
 * Pure text: nothing here knows the commands; sfb.c describes each with a struct page. All strings stay the caller's.
 */
#pragma once
#include <stddef.h>
#include "core/base/buf.h"
#include "core/base/opts.h"

struct page_exit {
    int code;
    const char *meaning;
};

struct page {
    const char *name;    /* "backup": a synopsis line that starts with this word is shown with `program` instead */
    const char *program; /* as the user calls it: "sfb backup", "backup-database" */
    const char *summary;
    const char *usage;         /* synopsis lines, an empty line, then what it does */
    const char *examples;      /* NULL: none. "# what\ncommand\n" pairs */
    const struct opt *options; /* NULL: a program with manners of its own */
    const struct page_exit *exits;
    size_t n_exits;           /* 0: none are told; 128+N is always added to them */
    const char *const *links; /* NULL: none; NULL at its end */
};

void page_help(struct buf *out, const struct page *p);
void page_man(struct buf *out, const struct page *p, const char *version); /* roff, for man -l */

/* sfb(1): the commands, and what sfb itself takes; options is text that stays as it is laid out. */
void page_man_overview(struct buf *out, const struct page *pages, size_t n, const char *options, const char *version);

enum page_shell { PAGE_BASH, PAGE_ZSH, PAGE_FISH };

/* One script that completes `sfb COMMAND` and every link. */
void page_completion(struct buf *out, enum page_shell shell, const struct page *pages, size_t n);
