/* SPDX-License-Identifier: PostgreSQL */
/* opts.c - a command's options: parsing them, and their part of the help. */
#include "core/base/opts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

#define WIDTH 80
#define LEFT_MAX 30 /* the column of the explanations, at most */

static const struct opt help_option = OPT_FLAG('h', "help", NULL, "show this help");

/* ---- finding an option --------------------------------------------------------------------------------------- */

static bool is_option(const struct opt *o)
{
    return o->kind != OPT_KIND_GROUP;
}

static const struct opt *find_letter(const struct opt *table, char letter)
{
    for (const struct opt *o = table; o->kind != OPT_KIND_END; o++)
        if (is_option(o) && o->letter == letter)
            return o;
    return letter == 'h' ? &help_option : NULL;
}

/* How well an option's name answers to the n letters of word. */
enum match { MATCH_NONE, MATCH_START, MATCH_WHOLE };

static enum match match_name(const char *name, const char *word, size_t n)
{
    if (strncmp(name, word, n) != 0)
        return MATCH_NONE;
    return name[n] == '\0' ? MATCH_WHOLE : MATCH_START;
}

struct found {
    const struct opt *option;
    const struct opt *other; /* a second one that the same start may mean */
    enum match match;
    bool negated; /* --no-FLAG */
};

static void consider(struct found *found, const struct opt *o, enum match match, bool negated)
{
    if (match == MATCH_NONE || match < found->match)
        return;
    if (match == found->match && match == MATCH_START)
        found->other = o;
    else
        *found = (struct found){ .option = o, .match = match, .negated = negated };
}

static struct found find_long(const struct opt *table, const char *word, size_t n)
{
    bool negative = n > 3 && strncmp(word, "no-", 3) == 0;
    struct found found = { 0 };

    for (const struct opt *o = table; o->kind != OPT_KIND_END; o++) {
        if (!is_option(o) || !o->name)
            continue;
        consider(&found, o, match_name(o->name, word, n), false);
        if (negative && o->kind == OPT_KIND_FLAG)
            consider(&found, o, match_name(o->name, word + 3, n - 3), true);
    }
    if (found.match != MATCH_WHOLE)
        consider(&found, &help_option, match_name("help", word, n), false);
    return found;
}

/* The name that a mistyped word is nearest to; NULL when none is near. */
static const char *nearest(const struct opt *table, const char *word)
{
    const char *best = NULL;
    unsigned least = strlen(word) < 6 ? 2 : 3;

    for (const struct opt *o = table; o->kind != OPT_KIND_END; o++) {
        unsigned distance;
        if (!is_option(o) || !o->name)
            continue;
        distance = text_distance(word, o->name);
        if (distance < least) {
            least = distance;
            best = o->name;
        }
    }
    return best;
}

static int unknown_long(const struct opt *table, const char *word, size_t n, struct err *err)
{
    char name[64];
    const char *near;

    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), word);
    near = nearest(table, name);
    if (near)
        return err_set(err, ERR_USAGE, "unknown option --%s (did you mean --%s?)", name, near);
    return err_set(err, ERR_USAGE, "unknown option --%s", name);
}

/* ---- taking a value ------------------------------------------------------------------------------------------ */

static int add_to_list(struct opt_list *list, const char *text, struct err *err)
{
    const char **items = realloc(list->items, (list->n + 1) * sizeof *items);

    if (!items)
        return err_no_memory(err);
    items[list->n++] = text;
    list->items = items;
    return 0;
}

static int set_flag(const struct opt *o, const char *text, bool negated, struct err *err)
{
    bool on = true;

    if (text && negated)
        return err_set(err, ERR_USAGE, "--no-%s takes no value, but \"%s\" was given", o->name, text);
    if (text && !text_parse_bool(text, &on))
        return err_set(err, ERR_USAGE, "--%s is true or false, not \"%s\"", o->name, text);
    *(bool *)o->value = negated ? false : on;
    return 0;
}

/* text: the value, NULL for a flag without one. spelled: the option as the user wrote it. */
static int set_value(const struct opt *o, const char *spelled, const char *text, bool negated, struct err *err)
{
    if (o->given)
        *o->given = true;
    if (o->kind == OPT_KIND_FLAG)
        return set_flag(o, text, negated, err);
    if (!*text)
        return err_set(err, ERR_USAGE, "%s needs a value, and what was given is empty", spelled);
    switch (o->kind) {
    case OPT_KIND_INT:
        if (!text_parse_int(text, o->low, o->high, o->value))
            return err_set(err, ERR_USAGE, "%s is a number from %d to %d, not \"%s\"", spelled, o->low, o->high, text);
        return 0;
    case OPT_KIND_LIST:
        return add_to_list(o->value, text, err);
    default:
        *(const char **)o->value = text;
        return 0;
    }
}

/* ---- parsing ------------------------------------------------------------------------------------------------- */

struct words {
    char **argv;
    int argc;
    int at; /* the word that is looked at */
};

/* The next word as an option's value; NULL and err when there is none. */
static const char *next_word(struct words *w, const struct opt *o, const char *spelled, struct err *err)
{
    if (w->at + 1 >= w->argc) {
        err_set(err, ERR_USAGE, "%s needs a value: %s", spelled, o->argument ? o->argument : "VALUE");
        return NULL;
    }
    return w->argv[++w->at];
}

static enum opts_result parse_long(const struct opt *table, struct words *w, struct err *err)
{
    const char *word = w->argv[w->at] + 2, *equals = strchr(word, '='), *text = equals ? equals + 1 : NULL;
    size_t n = equals ? (size_t)(equals - word) : strlen(word);
    struct found found = n > 0 ? find_long(table, word, n) : (struct found){ 0 };
    char spelled[80];

    if (!found.option) {
        unknown_long(table, word, n, err);
        return OPTS_ERROR;
    }
    if (found.other) {
        err_set(err, ERR_USAGE, "--%.*s is short for more than one option: --%s, --%s", (int)n, word,
                found.option->name, found.other->name);
        return OPTS_ERROR;
    }
    if (found.option == &help_option)
        return OPTS_HELP;
    snprintf(spelled, sizeof spelled, "--%s", found.option->name);
    if (!text && found.option->kind != OPT_KIND_FLAG) {
        text = next_word(w, found.option, spelled, err);
        if (!text)
            return OPTS_ERROR;
    }
    return set_value(found.option, spelled, text, found.negated, err) < 0 ? OPTS_ERROR : OPTS_OK;
}

/* -v, -vq, -c 6, -c6, -vc6 */
static enum opts_result parse_letters(const struct opt *table, struct words *w, struct err *err)
{
    for (const char *letter = w->argv[w->at] + 1; *letter; letter++) {
        const struct opt *o = find_letter(table, *letter);
        char spelled[] = { '-', *letter, '\0' };
        const char *text = NULL;

        if (!o) {
            err_set(err, ERR_USAGE, "unknown option -%s", letter);
            if ((unsigned char)*letter < 0x80) /* else all of it, not half a character */
                snprintf(err->message, sizeof err->message, "unknown option -%c", *letter);
            return OPTS_ERROR;
        }
        if (o == &help_option)
            return OPTS_HELP;
        if (o->kind != OPT_KIND_FLAG) {
            text = letter[1] ? letter + 1 : next_word(w, o, spelled, err);
            if (!text)
                return OPTS_ERROR;
        }
        if (set_value(o, spelled, text, false, err) < 0)
            return OPTS_ERROR;
        if (text)
            break; /* the value was the rest of the word */
    }
    return OPTS_OK;
}

enum opts_result opts_parse(const struct opt *table, int argc, char **argv, int *operands, struct err *err)
{
    struct words w = { argv, argc, 1 };
    bool only_operands = false;
    int n = 0;

    *operands = 0;
    for (; w.at < argc; w.at++) {
        char *word = argv[w.at];
        enum opts_result result;

        if (only_operands || word[0] != '-' || word[1] == '\0') {
            argv[n++] = word; /* never beyond what was read: n < w.at */
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_operands = true;
            continue;
        }
        result = word[1] == '-' ? parse_long(table, &w, err) : parse_letters(table, &w, err);
        if (result != OPTS_OK)
            return result;
    }
    if (argc > 0)
        argv[n] = NULL;
    *operands = n;
    return OPTS_OK;
}

void opts_release(const struct opt *table)
{
    for (const struct opt *o = table; o->kind != OPT_KIND_END; o++) {
        if (o->kind == OPT_KIND_LIST) {
            struct opt_list *list = o->value;
            free(list->items);
            *list = (struct opt_list){ 0 };
        }
    }
}

/* ---- help ---------------------------------------------------------------------------------------------------- */

static size_t columns(const char *text, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

/* "  -e, --environment ENV" */
static size_t left_side(char out[128], const struct opt *o)
{
    int n = o->letter ? snprintf(out, 128, "  -%c", o->letter) : snprintf(out, 128, "    ");

    if (o->name)
        n += snprintf(out + n, 128 - (size_t)n, "%c --%s", o->letter ? ',' : ' ', o->name);
    if (o->argument && n < 128)
        snprintf(out + n, 128 - (size_t)n, " %s", o->argument);
    return columns(out, strlen(out));
}

/* Words from the column `at` on, wrapped and indented to `indent`. */
static void add_wrapped(struct buf *out, const char *text, size_t at, size_t indent)
{
    size_t start = at;

    while (*text) {
        size_t n = strcspn(text, " \n"), wide = columns(text, n);

        if (at > start && at + 1 + wide > WIDTH) {
            buf_printf(out, "\n%*s", (int)indent, "");
            start = at = indent;
        } else if (at > start) {
            buf_putc(out, ' ');
            at++;
        }
        buf_add(out, text, n);
        at += wide;
        text += n;
        if (*text == '\n') {
            buf_printf(out, "\n%*s", (int)indent + 2, "");
            start = at = indent + 2;
            text++;
        }
        text += strspn(text, " ");
    }
    buf_putc(out, '\n');
}

static void add_option(struct buf *out, const struct opt *o, size_t column)
{
    char left[128];
    size_t n = left_side(left, o);

    buf_puts(out, left);
    if (n + 2 > column)
        buf_printf(out, "\n%*s", (int)column, "");
    else
        buf_printf(out, "%*s", (int)(column - n), "");
    add_wrapped(out, o->help ? o->help : "", column, column);
}

void opts_help(struct buf *out, const struct opt *table)
{
    char left[128];
    size_t column = left_side(left, &help_option) + 2;
    bool known_h = false;
    struct opt help = help_option;

    for (const struct opt *o = table; o->kind != OPT_KIND_END; o++) {
        size_t n = is_option(o) ? left_side(left, o) + 2 : 0;
        if (n > column && n <= LEFT_MAX)
            column = n;
        known_h = known_h || (is_option(o) && o->letter == 'h');
    }
    for (const struct opt *o = table; o->kind != OPT_KIND_END; o++) {
        if (o->kind == OPT_KIND_GROUP)
            buf_printf(out, "%s%s:\n", o == table ? "" : "\n", o->help);
        else
            add_option(out, o, column);
    }
    if (known_h)
        help.letter = 0;
    add_option(out, &help, column);
}
