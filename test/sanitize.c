/* SPDX-License-Identifier: PostgreSQL */
/* sanitize.c - how the sanitizers look at sfb: linked into build/sanitize/sfb alone. */

const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void);
const char *__ubsan_default_options(void);

const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}

/* PostgreSQL's programs leave their memory to the end of the process, which here is a child of ours. */
const char *__lsan_default_suppressions(void)
{
    return "leak:^pg_dump*_main$\nleak:^pg_dumpall*_main$\nleak:^pg_restore*_main$\nleak:^psql*_main$\n";
}

const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1";
}
