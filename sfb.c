/* SPDX-License-Identifier: PostgreSQL */
/* sfb.c - main(): which command is meant, its options, its help, its last error, its exit code.
 *
 * One binary, many names: a symlink called backup-database is the command backup, `sfb backup` too. What a command is
 * stands in applets/; this file gives all of them the same manners. Nothing is done before it is known what for:
 * `sfb --version` starts in less than 10 ms.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "applets/applet.h"
#include "applets/applets.h"
#include "core/backup/settings.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/page.h"
#include "core/base/text.h"
#include "core/watch/watch.h"
#include "version.h"

enum { EXIT_USAGE = 2, EXIT_BUSY = 75, EXIT_UNKNOWN = 127, EXIT_BY_SIGNAL = 128 };

#define TEXT_MAX (1024 * 1024)

#define X(identifier) extern const struct applet applet_##identifier;
APPLETS(X)
#undef X

static const struct applet *const applets[] = {
#define X(identifier) &applet_##identifier,
    APPLETS(X)
#undef X
};
#define N_APPLETS (sizeof applets / sizeof applets[0])

static const char *config_path; /* --config FILE, of every command that wants settings */

/* ---- names --------------------------------------------------------------------------------------------------- */

/* The command that n letters of name stand for: its own name or a link's. */
static const struct applet *find_applet(const char *name)
{
    size_t n = strlen(name) - (text_ends(name, ".sh") ? 3 : 0);

    for (size_t i = 0; i < N_APPLETS; i++) {
        const struct applet *a = applets[i];
        if (strlen(a->name) == n && strncmp(a->name, name, n) == 0)
            return a;
        for (size_t j = 0; a->links && a->links[j]; j++)
            if (strlen(a->links[j]) == n && strncmp(a->links[j], name, n) == 0)
                return a;
    }
    return NULL;
}

/* What a mistyped name may have meant; NULL when nothing is near. */
static const char *nearest_name(const char *word)
{
    const char *best = NULL;
    unsigned least = 4;

    for (size_t i = 0; i < N_APPLETS; i++) {
        const struct applet *a = applets[i];
        for (size_t j = 0; j == 0 || (a->links && a->links[j - 1]); j++) {
            const char *name = j == 0 ? a->name : a->links[j - 1];
            unsigned distance = text_distance(word, name);
            if (distance < least && distance < strlen(name) / 2 + 1) {
                least = distance;
                best = name;
            }
        }
    }
    return best;
}

static void list_applets(FILE *to)
{
    for (size_t i = 0; i < N_APPLETS; i++)
        fprintf(to, "  %-12s %s\n", applets[i]->name, applets[i]->summary);
}

static int unknown_name(const char *word)
{
    const char *near = nearest_name(word);
    struct err err = { 0 };

    err_set(&err, ERR_USAGE, "there is no command \"%s\"", word);
    if (near)
        err_hint(&err, "did you mean \"%s\"?", near);
    log_error(&err);
    fputs("\nThe commands are:\n", stderr);
    list_applets(stderr);
    return EXIT_UNKNOWN;
}

/* ---- help ---------------------------------------------------------------------------------------------------- */

static const char general_help[] = "Usage: sfb COMMAND [OPTIONS] ...\n"
                                   "\n"
                                   "Backs up PostgreSQL and brings it back.\n"
                                   "\n"
                                   "Commands:\n";

static const char general_options[] =
    "  sfb COMMAND --help         explain a command: its options, examples and exit codes\n"
    "  sfb --list                 the commands, one a line\n"
    "  sfb --install DIR          make the links (backup-database, psql, ...) in DIR\n"
    "  sfb --completion SHELL     a completion script for bash, zsh or fish\n"
    "  sfb --man COMMAND          its man page, for man -l; of sfb: this one's\n"
    "  sfb --version              the version\n"
    "  sfb pg_dump --pg 15 ...    PostgreSQL's own program of that major; so pg_restore and psql\n"
    "\n"
    "In an emergency:\n"
    "  sfb list                   which backups there are\n"
    "  sfb restore --dry-run B    what a restore of backup B would do; it changes nothing\n"
    "  sfb restore B              restore it, after asking\n";

static void print_help(FILE *to)
{
    fputs(general_help, to);
    list_applets(to);
    fputc('\n', to);
    fputs(general_options, to);
}

/* The applet's options and --config when it takes one; the caller frees. NULL only without memory. */
static struct opt *full_table(const struct applet *a)
{
    const struct opt config = OPT_TEXT(0, "config", "FILE", &config_path, "settings file, default /etc/sfb.env");
    const struct opt end = OPT_END;
    size_t n = 0;
    struct opt *table;

    while (a->options && a->options[n].kind != OPT_KIND_END)
        n++;
    table = calloc(n + 2, sizeof *table);
    if (!table)
        return NULL;
    if (n > 0)
        memcpy(table, a->options, n * sizeof *table);
    if (a->wants_settings)
        table[n++] = config;
    table[n] = end;
    return table;
}

#define EXITS_SHOWN 24

/* By code, however the applet's table is ordered: who looks one up knows the number. */
static int by_code(const void *a, const void *b)
{
    return ((const struct page_exit *)a)->code - ((const struct page_exit *)b)->code;
}

/* A command's page. options and exits are the caller's and must outlive it. */
static struct page describe(const struct applet *a, const char *program, const struct opt *options,
                            struct page_exit exits[EXITS_SHOWN])
{
    struct page page = { .name = a->name,
                         .program = program,
                         .summary = a->summary,
                         .usage = a->usage,
                         .examples = a->examples,
                         .links = a->links,
                         .exits = exits };

    if (a->raw)
        return page;
    page.options = options;
    exits[page.n_exits++] = (struct page_exit){ 0, "success" };
    for (const struct exit_map *m = a->exits; m && m->code >= 0 && page.n_exits < EXITS_SHOWN; m++)
        if (m->meaning)
            exits[page.n_exits++] = (struct page_exit){ m->code, m->meaning };
    qsort(exits, page.n_exits, sizeof exits[0], by_code);
    return page;
}

enum form { FORM_HELP, FORM_MAN };

static int print_page(const struct applet *a, const char *program, enum form form)
{
    struct opt *options = full_table(a);
    struct page_exit exits[EXITS_SHOWN];
    struct page page = describe(a, program, options, exits);
    struct buf text;

    buf_init(&text, TEXT_MAX);
    if (form == FORM_HELP)
        page_help(&text, &page);
    else
        page_man(&text, &page, SFB_VERSION);
    fputs(text.data, stdout);
    buf_release(&text);
    free(options);
    return 0;
}

static int print_completion(const char *shell_name)
{
    static const char *const shells[] = { [PAGE_BASH] = "bash", [PAGE_ZSH] = "zsh", [PAGE_FISH] = "fish" };
    struct page pages[N_APPLETS];
    struct page_exit exits[EXITS_SHOWN];
    struct opt *tables[N_APPLETS] = { 0 };
    struct buf text;
    size_t shell = 0;

    while (shell < 3 && strcmp(shells[shell], shell_name) != 0)
        shell++;
    if (shell == 3) {
        log_error(&(struct err){ .message = "--completion knows bash, zsh and fish" });
        return EXIT_USAGE;
    }
    buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < N_APPLETS; i++) {
        tables[i] = full_table(applets[i]);
        pages[i] = describe(applets[i], applets[i]->name, tables[i], exits);
    }
    page_completion(&text, (enum page_shell)shell, pages, N_APPLETS);
    fputs(text.data, stdout);
    for (size_t i = 0; i < N_APPLETS; i++)
        free(tables[i]);
    buf_release(&text);
    return 0;
}

/* ---- sfb --install DIR --------------------------------------------------------------------------------------- */

/* The real path of this binary, where /proc tells or the shell said; the caller frees. */
static char *own_path(const char *argv0, struct err *err)
{
    char *path = realpath("/proc/self/exe", NULL);

    if (!path && strchr(argv0, '/'))
        path = realpath(argv0, NULL);
    if (!path) {
        err_set(err, ERR_IO, "can't tell where this program is: there is no /proc");
        err_hint(err, "call it by its full path");
    }
    return path;
}

/* target as seen from the directory dir, both real and absolute: "../../opt/sfb". The caller frees. */
static char *relative_path(const char *dir, const char *target, struct err *err)
{
    struct buf out;
    size_t same = 0;

    for (size_t i = 0;; i++) { /* up to the last slash, or the end, where both agree */
        bool dir_ends = dir[i] == '/' || dir[i] == '\0';
        if (dir_ends && target[i] == '/')
            same = i;
        if (dir[i] != target[i] || dir[i] == '\0')
            break;
    }
    buf_init(&out, PATH_MAX * 2);
    for (const char *rest = dir + same; *rest; rest++)
        if (*rest == '/' && rest[1] != '\0')
            buf_puts(&out, "../");
    buf_puts(&out, target + same + 1);
    return buf_take(&out, err);
}

enum link_state { LINK_FREE, LINK_RIGHT, LINK_TAKEN };

static enum link_state look_at(const char *link, const char *binary)
{
    struct stat there, ours;

    if (lstat(link, &there) < 0)
        return LINK_FREE;
    if (stat(link, &there) == 0 && stat(binary, &ours) == 0 && there.st_dev == ours.st_dev &&
        there.st_ino == ours.st_ino)
        return LINK_RIGHT;
    return LINK_TAKEN;
}

struct install {
    const char *dir;
    char *binary, *target; /* its real path; the same as the links have it */
    int made, there, taken;
    bool only_look;
};

static int install_one(struct install *in, const char *name, const char *ending, struct err *err)
{
    char link[PATH_MAX];
    enum link_state state;

    if ((size_t)snprintf(link, sizeof link, "%s/%s%s", in->dir, name, ending) >= sizeof link)
        return err_set(err, ERR_USAGE, "the path %s is too long", in->dir);
    state = look_at(link, in->binary);
    if (in->only_look && state == LINK_TAKEN) {
        log_warn("%s exists and is something else: it is left as it is", link);
        in->taken++;
    }
    if (in->only_look)
        return 0;
    if (state == LINK_RIGHT) {
        in->there++;
        return 0;
    }
    if (symlink(in->target, link) < 0)
        return err_errno(err, "can't make the link %s", link);
    in->made++;
    return 0;
}

/* Every link of every command; a program with manners of its own is installed under its own name. */
static int install_each(struct install *in, struct err *err)
{
    for (size_t i = 0; i < N_APPLETS; i++) {
        const struct applet *a = applets[i];
        if (a->raw && install_one(in, a->name, "", err) < 0)
            return -1;
        for (size_t j = 0; !a->raw && a->links && a->links[j]; j++)
            if (install_one(in, a->links[j], "", err) < 0 || install_one(in, a->links[j], ".sh", err) < 0)
                return -1;
    }
    return 0;
}

static int install_links(const char *argv0, const char *dir)
{
    struct install in = { .dir = dir, .only_look = true };
    struct err err = { 0 };
    char *real_dir = realpath(dir, NULL);
    int rc = -1;

    if (!real_dir) {
        err_errno(&err, "can't make links in %s", dir);
        goto out;
    }
    in.binary = own_path(argv0, &err);
    if (!in.binary)
        goto out;
    in.target = relative_path(real_dir, in.binary, &err);
    if (!in.target || install_each(&in, &err) < 0)
        goto out;
    if (in.taken > 0) {
        err_set(&err, ERR_IO, "no link was made: %d name%s in %s %s taken", in.taken, in.taken == 1 ? "" : "s", dir,
                in.taken == 1 ? "is" : "are");
        err_hint(&err, "remove what is in the way, or choose another directory");
        goto out;
    }
    in.only_look = false;
    if (install_each(&in, &err) < 0)
        goto out;
    log_say("%s: %d links made, %d were there", dir, in.made, in.there);
    rc = 0;
out:
    if (rc < 0)
        log_error(&err);
    free(in.target);
    free(in.binary);
    free(real_dir);
    return rc < 0 ? 1 : 0;
}

/* ---- running a command --------------------------------------------------------------------------------------- */

/* The code for a class of errors; -1: the table has no line for it. */
static int code_of(const struct exit_map *exits, enum err_class class)
{
    for (const struct exit_map *m = exits; m && m->code >= 0; m++)
        if (m->class == class)
            return m->code;
    return -1;
}

static int exit_code(const struct applet *a, const struct err *err)
{
    int code;

    if (err->class == ERR_SIGNAL && err->signal > 0)
        return EXIT_BY_SIGNAL + err->signal;
    if (os_interrupted()) /* whatever failed, it failed because of that */
        return EXIT_BY_SIGNAL + os_interrupted();
    if (err->class == ERR_BUSY)
        return EXIT_BUSY;
    code = code_of(a->exits, err->class);
    if (code < 0 && err->class == ERR_USAGE) /* a wrong command line is a kind of wrong configuration */
        code = code_of(a->exits, ERR_CONFIG);
    if (code < 0)
        code = code_of(a->exits, ERR_NONE);
    return code < 0 ? 1 : code;
}

/* *settings are the caller's to free: what follows a run needs them, too, and be it what could be read of them. */
static int parse_and_run(const struct applet *a, struct context *ctx, const struct opt *options, int argc, char **argv,
                         struct settings **settings, struct err *err)
{
    int operands = 0, rc;

    switch (opts_parse(options, argc, argv, &operands, err)) {
    case OPTS_HELP:
        return print_page(a, ctx->program, FORM_HELP);
    case OPTS_ERROR:
        return -1;
    case OPTS_OK:
        break;
    }
    if (ctx->run && a->environment && run_set(&ctx->run->environment, *a->environment, err) < 0)
        return -1;
    if (a->wants_settings && settings_read(config_path, settings, err) < 0)
        return -1;
    ctx->settings = *settings;
    rc = a->run(ctx, operands, argv, err);
    /* A result that was printed with stdio and did not arrive is a failure; log lines that get lost are not. */
    if (rc >= 0 && (fflush(stdout) != 0 || ferror(stdout)))
        rc = err_errno(err, "can't write to standard output");
    return rc;
}

/* Its settings have stopped it before it began. Whoever relies on it must know that as well, unless somebody sits there and
 * reads it; a wrong command line is for whoever wrote it. */
static bool was_kept_from_beginning(const struct run *r, const struct err *err)
{
    return !r->begun && err->class == ERR_CONFIG && !isatty(STDIN_FILENO);
}

static int run_applet(const struct applet *a, const char *program, int argc, char **argv)
{
    struct run watched = { 0 };
    struct context ctx = { .program = program, .run = a->watched != RUN_NONE ? &watched : NULL };
    struct settings *settings = NULL;
    struct err err = { 0 };
    struct opt *options = NULL;
    int rc = -1, code;

    if (a->raw) { /* it has its own ways with signals, files and errors */
        rc = a->run(&ctx, argc, argv, &err);
        if (err.class != ERR_NONE)
            log_error(&err);
        return rc < 0 ? exit_code(a, &err) : rc;
    }
    umask(077);
    os_signals_catch();
    run_init(&watched, a->watched, clock_now());
    options = full_table(a);
    if (options)
        rc = parse_and_run(a, &ctx, options, argc, argv, &settings, &err);
    else
        err_no_memory(&err);
    if (rc < 0) {
        if (err.class == ERR_USAGE && !err.hint[0])
            err_hint(&err, "run \"%s --help\"", program);
        log_error(&err);
    }
    code = rc < 0 ? exit_code(a, &err) : rc;
    run_finish(&watched, code, &err);
    if (was_kept_from_beginning(&watched, &err))
        watched.begun = true;
    if (ctx.run != NULL && settings != NULL)
        watch_end(settings, &watched);
    run_release(&watched);
    settings_free(settings);
    if (options)
        opts_release(options);
    free(options);
    return code;
}

/* ---- sfb ... ------------------------------------------------------------------------------------------------- */

static int print_overview(void)
{
    struct page pages[N_APPLETS];
    struct buf text;

    for (size_t i = 0; i < N_APPLETS; i++)
        pages[i] = (struct page){ .name = applets[i]->name, .summary = applets[i]->summary };
    buf_init(&text, TEXT_MAX);
    page_man_overview(&text, pages, N_APPLETS, general_options, SFB_VERSION);
    fputs(text.data, stdout);
    buf_release(&text);
    return 0;
}

/* help APPLET, --man APPLET */
static int explain(const char *name, enum form form)
{
    const struct applet *a = find_applet(name);
    char program[128];

    if (!a)
        return unknown_name(name);
    snprintf(program, sizeof program, "sfb %s", a->name);
    return print_page(a, program, form);
}

static int usage_error(const char *format, const char *word)
{
    struct err err = { 0 };

    err_set(&err, ERR_USAGE, format, word);
    err_hint(&err, "run \"sfb --help\"");
    log_error(&err);
    return EXIT_USAGE;
}

/* The options of sfb itself, each alone on its command line. operand: what follows, NULL for nothing. */
static int global_option(const char *argv0, const char *option, const char *operand)
{
    if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(option, "--version") == 0 || strcmp(option, "-V") == 0) {
        puts("sfb " SFB_VERSION);
        return 0;
    }
    if (strcmp(option, "--list") == 0) {
        for (size_t i = 0; i < N_APPLETS; i++)
            printf("%-12s %s\n", applets[i]->name, applets[i]->summary);
        return 0;
    }
    if (strcmp(option, "--install") != 0 && strcmp(option, "--completion") != 0 && strcmp(option, "--man") != 0)
        return usage_error("unknown option %s", option);
    if (!operand)
        return usage_error("%s needs a word after it", option);
    if (strcmp(option, "--install") == 0)
        return install_links(argv0, operand);
    if (strcmp(option, "--completion") == 0)
        return print_completion(operand);
    return strcmp(operand, "sfb") == 0 ? print_overview() : explain(operand, FORM_MAN);
}

static int dispatch(int argc, char **argv)
{
    const char *called = argc > 0 ? os_basename(argv[0]) : "sfb";
    const struct applet *a = find_applet(called);
    char program[128];

    if (a)
        return run_applet(a, called, argc, argv);
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (argv[1][0] == '-')
        return global_option(argv[0], argv[1], argv[2]);
    if (strcmp(argv[1], "help") == 0) {
        if (argc > 2)
            return explain(argv[2], FORM_HELP);
        print_help(stdout);
        return 0;
    }
    a = find_applet(argv[1]);
    if (!a)
        return unknown_name(argv[1]);
    snprintf(program, sizeof program, "sfb %s", argv[1]);
    return run_applet(a, program, argc - 1, argv + 1);
}

/* A database's file must never be opened as descriptor 1 or 2 and get our messages. Where there is no /dev/null the
 * root directory takes the place: it can be neither read nor written. */
static void keep_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) < 0 && open("/", O_PATH) < 0)
            _exit(1);
}

int main(int argc, char **argv)
{
    int code;

    keep_standard_descriptors();
    code = dispatch(argc, argv);
    if (fflush(stdout) != 0 && code == 0)
        code = 1;
    return code;
}
