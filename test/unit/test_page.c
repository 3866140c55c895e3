/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/base/page.h"

static bool force;
static const char *label;
static const struct opt options[] = {
    OPT_FLAG('f', "force", &force, "don't ask [really]"),
    OPT_TEXT(0, "label", "LABEL", &label, "a name"),
    OPT_END,
};
static const struct page_exit exits[] = { { 0, "success" }, { 6, "cancelled" } };
static const char *const links[] = { "restore-database", NULL };

static const struct page page = {
    .name = "restore",
    .program = "restore-database",
    .summary = "bring a backup back",
    .usage = "restore [OPTIONS] BACKUP\nrestore --list\n\nReplaces the database.\n.dots and \\backslashes\n",
    .examples = "# From a file\nsfb restore /tmp/x.dump\n",
    .options = options,
    .exits = exits,
    .n_exits = 2,
    .links = links,
};

static void help(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10000);
    page_help(&b, &page);
    assert_string_equal(b.data, "Usage: restore-database [OPTIONS] BACKUP\n"
                                "       restore-database --list\n"
                                "\n"
                                "Replaces the database.\n"
                                ".dots and \\backslashes\n"
                                "\n"
                                "Options:\n"
                                "  -f, --force        don't ask [really]\n"
                                "      --label LABEL  a name\n"
                                "  -h, --help         show this help\n"
                                "\n"
                                "Examples:\n"
                                "  # From a file\n"
                                "      sfb restore /tmp/x.dump\n"
                                "\n"
                                "Exit codes:\n"
                                "      0  success\n"
                                "      6  cancelled\n"
                                "  128+N  ended by signal N (Ctrl-C: 130, kill: 143)\n"
                                "\n"
                                "Also called: restore-database, restore-database.sh\n");
    buf_release(&b);
}

static void poor_pages(void **state)
{
    const struct page raw = {
        .name = "psql", .program = "sfb psql", .summary = "the shell", .usage = "psql [OPTION]..."
    };
    struct buf b;

    (void)state;
    buf_init(&b, 10000);
    page_help(&b, &raw);
    assert_string_equal(b.data, "Usage: sfb psql [OPTION]...\n\nthe shell\n");
    buf_release(&b);
}

static void man(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10000);
    page_man(&b, &page, "1.2");
    assert_non_null(strstr(b.data, ".TH \"SFB\\-RESTORE\" 1 \"\" \"sfb 1.2\""));
    assert_non_null(strstr(b.data, "\n\\&.dots and \\ebackslashes\n"));
    assert_non_null(strstr(b.data, "\\fB\\-f\\fR, \\fB\\-\\-force\\fR\ndon't ask [really]\n"));
    assert_non_null(strstr(b.data, "\\fB\\-\\-label\\fR \\fILABEL\\fR\n"));
    assert_non_null(strstr(b.data, ".TP\n.B 6\ncancelled\n"));
    buf_release(&b);
}

/* Runs a shell over a script; 0 when it has nothing against it. */
static int check_script(enum page_shell shell, const char *checker)
{
    struct buf b;
    FILE *f = fopen("script", "w");
    int rc;

    buf_init(&b, 100000);
    page_completion(&b, shell, &page, 1);
    assert_int_equal(buf_check(&b, NULL), 0);
    fputs(b.data, f);
    fclose(f);
    buf_release(&b);
    rc = system(checker);
    return rc;
}

static void completion(void **state)
{
    (void)state;
    assert_int_equal(check_script(PAGE_BASH, "bash -n script"), 0);
    assert_int_equal(check_script(PAGE_BASH, "bash -c '. ./script; COMP_WORDS=(restore-database.sh --f); COMP_CWORD=1; "
                                             "_sfb; [ \"${COMPREPLY[*]}\" = --force ]'"),
                     0);
    assert_int_equal(check_script(PAGE_BASH, "bash -c '. ./script; COMP_WORDS=(sfb re); COMP_CWORD=1; "
                                             "_sfb; [ \"${COMPREPLY[*]}\" = restore ]'"),
                     0);
    assert_int_equal(check_script(PAGE_ZSH, "! command -v zsh >/dev/null || zsh -n script"), 0);
    assert_int_equal(check_script(PAGE_ZSH, "grep -qF \"'--force[don'\\\\''t ask \\[really\\]]'\" script"), 0);
    assert_int_equal(check_script(PAGE_FISH, "! command -v fish >/dev/null || fish -n script"), 0);
    assert_int_equal(check_script(PAGE_FISH, "grep -qF -- \"-s f -l force -d 'don\\'t ask [really]'\" script"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("the help has everything, under the name the user called", help),
        PROMISE("a program with manners of its own has a page too", poor_pages),
        PROMISE("the man page says the same, and roff reads nothing into it", man),
        PROMISE_IN_DIR("the completion scripts are sound, and complete", completion),
    };
    return RUN_PROMISES(tests);
}
