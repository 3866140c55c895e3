/* SPDX-License-Identifier: PostgreSQL */
/* page.c - a command's help text and its man page. */
#include "core/base/page.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- what both share ----------------------------------------------------------------------------------------- */

/* One line of a text: its start and length; moves *text to the next. False at the end. */
static bool next_line(const char **text, const char **line, size_t *n)
{
    if (!*text || !**text)
        return false;
    *line = *text;
    *n = strcspn(*text, "\n");
    *text += *n + ((*text)[*n] == '\n');
    return true;
}

/* The synopsis line with the program's name for the command's. */
static void add_synopsis(struct buf *out, const struct page *p, const char *line, size_t n)
{
    size_t name = strlen(p->name);

    if (n >= name && strncmp(line, p->name, name) == 0 && (n == name || line[name] == ' ')) {
        buf_puts(out, p->program);
        line += name;
        n -= name;
    }
    buf_add(out, line, n);
}

/* ---- help ---------------------------------------------------------------------------------------------------- */

static void help_usage(struct buf *out, const struct page *p)
{
    const char *rest = p->usage, *line, *lead = "Usage: ";
    size_t n;

    while (next_line(&rest, &line, &n) && n > 0) {
        buf_puts(out, lead);
        add_synopsis(out, p, line, n);
        buf_putc(out, '\n');
        lead = "       ";
    }
    buf_putc(out, '\n');
    if (*rest)
        buf_puts(out, rest);
    else
        buf_printf(out, "%s\n", p->summary);
    if (out->size > 0 && out->data[out->size - 1] != '\n')
        buf_putc(out, '\n');
}

static void help_examples(struct buf *out, const struct page *p)
{
    const char *rest = p->examples, *line;
    size_t n;

    if (!rest)
        return;
    buf_puts(out, "\nExamples:\n");
    while (next_line(&rest, &line, &n)) {
        if (n > 0)
            buf_printf(out, "%s%.*s", line[0] == '#' ? "  " : "      ", (int)n, line);
        buf_putc(out, '\n');
    }
}

static void help_exits(struct buf *out, const struct page *p)
{
    if (p->n_exits == 0)
        return;
    buf_puts(out, "\nExit codes:\n");
    for (size_t i = 0; i < p->n_exits; i++)
        buf_printf(out, "  %5d  %s\n", p->exits[i].code, p->exits[i].meaning);
    buf_puts(out, "  128+N  ended by signal N (Ctrl-C: 130, kill: 143)\n");
}

static void help_links(struct buf *out, const struct page *p)
{
    if (!p->links || !p->links[0])
        return;
    buf_puts(out, "\nAlso called:");
    for (size_t i = 0; p->links[i]; i++)
        buf_printf(out, "%s %s, %s.sh", i > 0 ? "," : "", p->links[i], p->links[i]);
    buf_putc(out, '\n');
}

void page_help(struct buf *out, const struct page *p)
{
    help_usage(out, p);
    if (p->options) {
        buf_puts(out, p->options[0].kind == OPT_KIND_GROUP ? "\n" : "\nOptions:\n");
        opts_help(out, p->options);
    }
    help_examples(out, p);
    help_exits(out, p);
    help_links(out, p);
}

/* ---- man ----------------------------------------------------------------------------------------------------- */

/* Text as roff takes it literally: backslashes, hyphens that are to be copied, dots at the start of a line. */
static void add_roff(struct buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool at_start = out->size > 0 && out->data[out->size - 1] == '\n';
        if (at_start && (text[i] == '.' || text[i] == '\''))
            buf_puts(out, "\\&");
        if (text[i] == '\\')
            buf_puts(out, "\\e");
        else if (text[i] == '-')
            buf_puts(out, "\\-");
        else
            buf_putc(out, text[i]);
    }
}

static void add_roff_text(struct buf *out, const char *text)
{
    add_roff(out, text, strlen(text));
}

/* "sfb backup" is the page sfb-backup(1). */
static void man_title(struct buf *out, const struct page *p, const char *version)
{
    buf_printf(out, ".TH \"SFB\\-");
    for (const char *c = p->name; *c; c++)
        buf_putc(out, *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
    buf_printf(out, "\" 1 \"\" \"sfb %s\" \"PostgreSQL backups\"\n", version);
    buf_puts(out, ".SH NAME\nsfb\\-");
    add_roff_text(out, p->name);
    buf_puts(out, " \\- ");
    add_roff_text(out, p->summary);
    buf_puts(out, "\n");
}

static void man_usage(struct buf *out, const struct page *p)
{
    const char *rest = p->usage, *line;
    size_t n;

    buf_puts(out, ".SH SYNOPSIS\n.nf\n");
    while (next_line(&rest, &line, &n) && n > 0) {
        struct buf shown;
        buf_init(&shown, 4096);
        add_synopsis(&shown, p, line, n);
        add_roff_text(out, shown.data);
        buf_putc(out, '\n');
        buf_release(&shown);
    }
    buf_puts(out, ".fi\n.SH DESCRIPTION\n");
    if (!*rest)
        rest = p->summary;
    while (next_line(&rest, &line, &n)) {
        if (n == 0) {
            buf_puts(out, ".PP\n");
            continue;
        }
        if (line[0] == ' ') /* its author aligned it */
            buf_puts(out, ".br\n");
        add_roff(out, line, n);
        buf_putc(out, '\n');
    }
}

static void man_option(struct buf *out, char letter, const char *name, const char *argument, const char *help)
{
    buf_puts(out, ".TP\n\\fB");
    if (letter)
        buf_printf(out, "\\-%c%s", letter, name ? "\\fR, \\fB" : "");
    if (name) {
        buf_puts(out, "\\-\\-");
        add_roff_text(out, name);
    }
    buf_puts(out, "\\fR");
    if (argument) {
        buf_puts(out, " \\fI");
        add_roff_text(out, argument);
        buf_puts(out, "\\fR");
    }
    buf_putc(out, '\n');
    for (const char *line; help && *help;) {
        size_t n;
        next_line(&help, &line, &n);
        add_roff(out, line, n);
        buf_puts(out, *help ? "\n.br\n" : "\n");
    }
}

static void man_options(struct buf *out, const struct page *p)
{
    if (!p->options)
        return;
    buf_puts(out, ".SH OPTIONS\n");
    for (const struct opt *o = p->options; o->kind != OPT_KIND_END; o++) {
        if (o->kind == OPT_KIND_GROUP) {
            buf_puts(out, ".SS ");
            add_roff_text(out, o->help);
            buf_putc(out, '\n');
        } else {
            man_option(out, o->letter, o->name, o->argument, o->help);
        }
    }
    man_option(out, 'h', "help", NULL, "show this help");
}

static void man_examples(struct buf *out, const struct page *p)
{
    const char *rest = p->examples, *line;
    size_t n;

    if (!rest)
        return;
    buf_puts(out, ".SH EXAMPLES\n.nf\n");
    while (next_line(&rest, &line, &n)) {
        buf_puts(out, n > 0 && line[0] != '#' ? "    " : "");
        add_roff(out, line, n);
        buf_putc(out, '\n');
    }
    buf_puts(out, ".fi\n");
}

void page_man(struct buf *out, const struct page *p, const char *version)
{
    man_title(out, p, version);
    man_usage(out, p);
    man_options(out, p);
    man_examples(out, p);
    if (p->n_exits > 0) {
        buf_puts(out, ".SH EXIT STATUS\n");
        for (size_t i = 0; i < p->n_exits; i++) {
            buf_printf(out, ".TP\n.B %d\n", p->exits[i].code);
            add_roff_text(out, p->exits[i].meaning);
            buf_putc(out, '\n');
        }
        buf_puts(out, ".TP\n.B 128+N\nended by signal N (Ctrl\\-C: 130, kill: 143)\n");
    }
    if (p->links && p->links[0]) {
        buf_puts(out, ".SH OTHER NAMES\n");
        for (size_t i = 0; p->links[i]; i++) {
            add_roff_text(out, i > 0 ? ", " : "");
            add_roff_text(out, p->links[i]);
        }
        buf_puts(out, ", each also with .sh at its end\n");
    }
}

void page_man_overview(struct buf *out, const struct page *pages, size_t n, const char *options, const char *version)
{
    buf_printf(out, ".TH \"SFB\" 1 \"\" \"sfb %s\" \"PostgreSQL backups\"\n", version);
    buf_puts(out, ".SH NAME\nsfb \\- backs up PostgreSQL and brings it back\n"
                  ".SH SYNOPSIS\n.B sfb\n.I COMMAND\n[\\fIOPTIONS\\fR] ...\n.SH COMMANDS\n");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, ".TP\n.BR sfb\\-");
        add_roff_text(out, pages[i].name);
        buf_puts(out, " (1)\n");
        add_roff_text(out, pages[i].summary);
        buf_putc(out, '\n');
    }
    buf_puts(out, ".SH OPTIONS\n.nf\n");
    add_roff_text(out, options);
    buf_puts(out, ".fi\n.SH SETTINGS\nEnvironment variables, or lines of /etc/sfb.env;\n"
                  ".BR sfb\\-config (1)\nshows all of them, their values and where each comes from.\n");
}
