/* SPDX-License-Identifier: PostgreSQL */
/* page_completion.c - the scripts that make shells complete sfb's commands and options. */
#include <string.h>

#include "core/base/page.h"

/* Calls visit for each long option of a page. */
typedef void visit_option(struct buf *out, const struct page *p, const struct opt *o);

static void each_option(struct buf *out, const struct page *p, visit_option *visit)
{
    static const struct opt help = OPT_FLAG('h', "help", NULL, "show this help");

    if (!p->options)
        return;
    for (const struct opt *o = p->options; o->kind != OPT_KIND_END; o++)
        if (o->kind != OPT_KIND_GROUP && o->name)
            visit(out, p, o);
    visit(out, p, &help);
}

/* The first line of a help text, inside a POSIX shell's single quotes; `escaped` are the caller's own. */
static void add_quoted(struct buf *out, const char *text, const char *escaped)
{
    for (; *text && *text != '\n'; text++) {
        if (*text == '\'') {
            buf_puts(out, "'\\''");
            continue;
        }
        if (strchr(escaped, *text))
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
}

/* "backup|backup-database", for a case. */
static void add_names(struct buf *out, const struct page *p)
{
    buf_puts(out, p->name);
    for (size_t i = 0; p->links && p->links[i]; i++)
        buf_printf(out, "|%s", p->links[i]);
}

static void add_commands(struct buf *out, const struct page *pages, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s", i > 0 ? " " : "", pages[i].name);
}

/* " sfb backup-database backup-database.sh ..." */
static void add_programs(struct buf *out, const struct page *pages, size_t n)
{
    buf_puts(out, " sfb");
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; pages[i].links && pages[i].links[j]; j++)
            buf_printf(out, " %s %s.sh", pages[i].links[j], pages[i].links[j]);
    buf_putc(out, '\n');
}

/* ---- bash ---------------------------------------------------------------------------------------------------- */

static void bash_option(struct buf *out, const struct page *p, const struct opt *o)
{
    (void)p;
    buf_printf(out, " --%s", o->name);
}

static void bash(struct buf *out, const struct page *pages, size_t n)
{
    buf_puts(out, "_sfb() {\n"
                  "    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[0]##*/} options=\n"
                  "    command=${command%.sh}\n"
                  "    if [[ $command == sfb ]]; then\n"
                  "        if ((COMP_CWORD == 1)); then\n"
                  "            COMPREPLY=($(compgen -W '");
    add_commands(out, pages, n);
    buf_puts(out, " help --help --install --list --version' -- \"$word\"))\n"
                  "            return\n"
                  "        fi\n"
                  "        command=${COMP_WORDS[1]}\n"
                  "    fi\n"
                  "    case $command in\n");
    for (size_t i = 0; i < n; i++) {
        if (!pages[i].options)
            continue;
        buf_puts(out, "    ");
        add_names(out, &pages[i]);
        buf_puts(out, ") options='");
        each_option(out, &pages[i], bash_option);
        buf_puts(out, "' ;;\n");
    }
    buf_puts(out, "    help) options='");
    add_commands(out, pages, n);
    buf_puts(out, "' ;;\n"
                  "    esac\n"
                  "    if [[ $word == -* || $command == help ]]; then\n"
                  "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
                  "    else\n"
                  "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
                  "    fi\n"
                  "}\n"
                  "complete -o filenames -F _sfb");
    add_programs(out, pages, n);
}

/* ---- zsh ----------------------------------------------------------------------------------------------------- */

static void zsh_option(struct buf *out, const struct page *p, const struct opt *o)
{
    (void)p;
    buf_printf(out, " \\\n            '--%s%s[", o->name, o->argument ? "=" : "");
    add_quoted(out, o->help, "[]\\");
    buf_putc(out, ']');
    if (o->argument)
        buf_printf(out, ":%s:_files", o->argument);
    buf_putc(out, '\'');
}

static void zsh(struct buf *out, const struct page *pages, size_t n)
{
    buf_puts(out, "#compdef");
    add_programs(out, pages, n);
    buf_puts(out, "_sfb() {\n"
                  "    local command=${${words[1]:t}%.sh}\n"
                  "    if [[ $command == sfb ]]; then\n"
                  "        if ((CURRENT == 2)); then\n"
                  "            local -a commands=(\n");
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "                '%s:", pages[i].name);
        add_quoted(out, pages[i].summary, ":\\");
        buf_puts(out, "'\n");
    }
    buf_puts(out, "                'help:explain a command'\n"
                  "            )\n"
                  "            _describe command commands\n"
                  "            return\n"
                  "        fi\n"
                  "        command=${words[2]}\n"
                  "        shift words\n"
                  "        ((CURRENT--))\n"
                  "    fi\n"
                  "    case $command in\n");
    for (size_t i = 0; i < n; i++) {
        if (!pages[i].options)
            continue;
        buf_puts(out, "    ");
        add_names(out, &pages[i]);
        buf_puts(out, ")\n        _arguments");
        each_option(out, &pages[i], zsh_option);
        buf_puts(out, " \\\n            '*:file:_files'\n        ;;\n");
    }
    buf_puts(out, "    help) compadd ");
    add_commands(out, pages, n);
    buf_puts(out, " ;;\n"
                  "    *) _files ;;\n"
                  "    esac\n"
                  "}\n"
                  "_sfb \"$@\"\n");
}

/* ---- fish ---------------------------------------------------------------------------------------------------- */

/* In fish's single quotes a backslash escapes. */
static void fish_quoted(struct buf *out, const char *text)
{
    buf_putc(out, '\'');
    for (; *text && *text != '\n'; text++) {
        if (*text == '\'' || *text == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
    buf_puts(out, "'\n");
}

static void fish_line(struct buf *out, const char *program, const char *command, const struct opt *o)
{
    buf_printf(out, "complete -c %s", program);
    if (command)
        buf_printf(out, " -n '__fish_seen_subcommand_from %s'", command);
    if (o->letter)
        buf_printf(out, " -s %c", o->letter);
    buf_printf(out, " -l %s%s -d ", o->name, o->argument ? " -r" : "");
    fish_quoted(out, o->help);
}

static void fish_option(struct buf *out, const struct page *p, const struct opt *o)
{
    fish_line(out, "sfb", p->name, o);
    for (size_t i = 0; p->links && p->links[i]; i++)
        fish_line(out, p->links[i], NULL, o);
}

static void fish(struct buf *out, const struct page *pages, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "complete -c sfb -f -n __fish_use_subcommand -a %s -d ", pages[i].name);
        fish_quoted(out, pages[i].summary);
        each_option(out, &pages[i], fish_option);
    }
}

void page_completion(struct buf *out, enum page_shell shell, const struct page *pages, size_t n)
{
    switch (shell) {
    case PAGE_BASH:
        bash(out, pages, n);
        break;
    case PAGE_ZSH:
        zsh(out, pages, n);
        break;
    case PAGE_FISH:
        fish(out, pages, n);
        break;
    }
}
