/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/base/opts.h"

static struct {
    const char *environment, *label;
    int level;
    bool level_given, verbose, verify, force;
    struct opt_list tables;
} opt;

static const struct opt table[] = {
    OPT_TEXT('e', "environment", "ENV", &opt.environment, "target environment: staging, production"),
    OPT_INT('c', "compression", "LEVEL", 0, 9, &opt.level, &opt.level_given, "compression level (0-9), default 6"),
    OPT_GROUP("Behaviour"),
    OPT_FLAG('v', "verbose", &opt.verbose, "verbose output"),
    OPT_FLAG(0, "verify", &opt.verify, "verify before restore, default true"),
    OPT_FLAG('f', "force", &opt.force, "no questions"),
    OPT_TEXT(0, "label", "LABEL", &opt.label, "a name"),
    OPT_LIST('t', "table", "TABLE", &opt.tables, "only this table; may be repeated"),
    OPT_END,
};

#define MAX_WORDS 16
static char *words[MAX_WORDS];
static int operands;
static struct err err;

/* Parses the words of a command line that are separated by spaces; _ stands for an empty word. */
static enum opts_result parse(const char *line)
{
    static char copy[512];
    char *rest = copy, *word;
    int argc = 0;

    opts_release(table);
    memset(&opt, 0, sizeof opt);
    memset(&err, 0, sizeof err);
    opt.level = 6;
    opt.verify = true;
    snprintf(copy, sizeof copy, "program %s", line);
    while ((word = strsep(&rest, " ")) != NULL)
        if (*word)
            words[argc++] = strcmp(word, "_") == 0 ? word + 1 : word;
    words[argc] = NULL;
    return opts_parse(table, argc, words, &operands, &err);
}

static void forms(void **state)
{
    static const char *const same[] = { "-e staging -c 9",
                                        "-estaging -c9",
                                        "--environment staging --compression 9",
                                        "--environment=staging --compression=9",
                                        "--env staging --comp=9",
                                        "-e production -c 1 -e staging -c 9" };

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(parse(same[i]), OPTS_OK);
        assert_string_equal(opt.environment, "staging");
        assert_int_equal(opt.level, 9);
        assert_true(opt.level_given);
        assert_int_equal(operands, 0);
    }
    assert_int_equal(parse(""), OPTS_OK);
    assert_int_equal(opt.level, 6);
    assert_false(opt.level_given);
}

static void bundles(void **state)
{
    (void)state;
    assert_int_equal(parse("-vf"), OPTS_OK);
    assert_true(opt.verbose && opt.force);
    assert_int_equal(parse("-vfc3 x"), OPTS_OK);
    assert_true(opt.verbose && opt.force);
    assert_int_equal(opt.level, 3);
    assert_string_equal(words[0], "x");
    assert_int_equal(parse("-vc 3 x"), OPTS_OK);
    assert_int_equal(opt.level, 3);
}

static void operands_anywhere(void **state)
{
    (void)state;
    assert_int_equal(parse("a -v b --table t1 c -- -d --force"), OPTS_OK);
    assert_int_equal(operands, 5);
    assert_string_equal(words[0], "a");
    assert_string_equal(words[1], "b");
    assert_string_equal(words[2], "c");
    assert_string_equal(words[3], "-d");
    assert_string_equal(words[4], "--force");
    assert_null(words[5]);
    assert_false(opt.force);
    assert_int_equal(parse("- -v"), OPTS_OK); /* a lone dash is a name for standard input */
    assert_int_equal(operands, 1);
    assert_string_equal(words[0], "-");
}

static void flags(void **state)
{
    (void)state;
    assert_int_equal(parse("--no-verify"), OPTS_OK);
    assert_false(opt.verify);
    assert_int_equal(parse("--verify=false"), OPTS_OK);
    assert_false(opt.verify);
    assert_int_equal(parse("--verify=false --verify"), OPTS_OK);
    assert_true(opt.verify);
    assert_int_equal(parse("--no-verif"), OPTS_OK);
    assert_false(opt.verify);
    assert_int_equal(parse("--verify=perhaps"), OPTS_ERROR);
    assert_string_equal(err.message, "--verify is true or false, not \"perhaps\"");
    assert_int_equal(parse("--no-verify=true"), OPTS_ERROR);
    assert_int_equal(parse("--no-label"), OPTS_ERROR); /* not a flag */
}

static void lists(void **state)
{
    (void)state;
    assert_int_equal(parse("-t a -tb --table c --table=d"), OPTS_OK);
    assert_int_equal(opt.tables.n, 4);
    assert_string_equal(opt.tables.items[0], "a");
    assert_string_equal(opt.tables.items[3], "d");
    opts_release(table);
    assert_int_equal(opt.tables.n, 0);
    assert_null(opt.tables.items);
    opts_release(table);
}

static void complaint(const char *line, const char *message)
{
    assert_int_equal(parse(line), OPTS_ERROR);
    assert_int_equal(err.class, ERR_USAGE);
    assert_string_equal(err.message, message);
}

static void complaints(void **state)
{
    (void)state;
    complaint("--enviroment x", "unknown option --enviroment (did you mean --environment?)");
    complaint("--xyz=1", "unknown option --xyz");
    complaint("-vx", "unknown option -x");
    complaint("-\xC3\xA9", "unknown option -\xC3\xA9");
    complaint("--ver", "--ver is short for more than one option: --verbose, --verify");
    complaint("--no-ver", "--no-ver is short for more than one option: --verbose, --verify");
    complaint("-c 10", "-c is a number from 0 to 9, not \"10\"");
    complaint("-c -1", "-c is a number from 0 to 9, not \"-1\"");
    complaint("--compression=high", "--compression is a number from 0 to 9, not \"high\"");
    complaint("--label", "--label needs a value: LABEL");
    complaint("-c", "-c needs a value: LEVEL");
    complaint("--label=", "--label needs a value, and what was given is empty");
    complaint("-e _", "-e needs a value, and what was given is empty");
    complaint("--=x", "unknown option --");
}

static void help_anywhere(void **state)
{
    (void)state;
    assert_int_equal(parse("-h"), OPTS_HELP);
    assert_int_equal(parse("a b --help"), OPTS_HELP);
    assert_int_equal(parse("-vh"), OPTS_HELP);
    assert_int_equal(parse("--he"), OPTS_HELP);
    assert_int_equal(parse("-- -h"), OPTS_OK);
    assert_int_equal(parse("-e -h"), OPTS_OK); /* a value */
    assert_string_equal(opt.environment, "-h");
}

static void help_text(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10000);
    opts_help(&b, table);
    assert_string_equal(b.data, "  -e, --environment ENV    target environment: staging, production\n"
                                "  -c, --compression LEVEL  compression level (0-9), default 6\n"
                                "\n"
                                "Behaviour:\n"
                                "  -v, --verbose            verbose output\n"
                                "      --verify             verify before restore, default true\n"
                                "  -f, --force              no questions\n"
                                "      --label LABEL        a name\n"
                                "  -t, --table TABLE        only this table; may be repeated\n"
                                "  -h, --help               show this help\n");
    buf_release(&b);
}

static void help_wraps(void **state)
{
    static const struct opt wide[] = {
        OPT_FLAG(0, "a-name-so-long-that-it-takes-a-line", &opt.force, "explained below"),
        OPT_FLAG('x', "short", &opt.force,
                 "words and words and words and words and words and words and words and words\n"
                 "and a second line"),
        OPT_END
    };
    struct buf b;

    (void)state;
    buf_init(&b, 10000);
    opts_help(&b, wide);
    assert_string_equal(b.data, "      --a-name-so-long-that-it-takes-a-line\n"
                                "               explained below\n"
                                "  -x, --short  words and words and words and words and words and words and words\n"
                                "               and words\n"
                                "                 and a second line\n"
                                "  -h, --help   show this help\n");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("an option may be written in every usual way, and the last one wins", forms),
        PROMISE("letters may be bundled, the last of them with its value", bundles),
        PROMISE("operands may stand anywhere; after -- everything is one", operands_anywhere),
        PROMISE("a flag can be turned off, and says when it is given nonsense", flags),
        PROMISE("a repeated option collects its values", lists),
        PROMISE("every wrong word is named, with what may have been meant", complaints),
        PROMISE("-h and --help are known wherever they stand", help_anywhere),
        PROMISE("the help is aligned, grouped and complete", help_text),
        PROMISE("the help wraps at 80 columns", help_wraps),
    };
    int rc = RUN_PROMISES(tests);

    opts_release(table);
    return rc;
}
