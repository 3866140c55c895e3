/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/pg/sqltext.h"

static struct sql_reader of(const char *sql)
{
    return sql_reader(sql, strlen(sql));
}

/* Kind and text of each token, as "w:word n:"name" s:'text' ;". */
static void assert_tokens(const char *sql, const char *expected)
{
    static const char kinds[] = { [SQL_WORD] = 'w', [SQL_NAME] = 'n', [SQL_STRING] = 's', [SQL_SIGN] = 0 };
    struct sql_reader r = of(sql);
    struct sql_token t;
    char out[512] = "";
    size_t n = 0;

    while (sql_next(&r, &t) != SQL_END) {
        const char tag[3] = { kinds[t.kind], kinds[t.kind] ? ':' : 0, 0 };

        n += (size_t)snprintf(out + n, sizeof out - n, "%s%s%.*s", n > 0 ? " " : "", tag, (int)t.size, t.text);
    }
    assert_string_equal(out, expected);
}

static void tokens(void **state)
{
    (void)state;
    assert_tokens("SELECT a1, \"b \"\"c\"(x);", "w:SELECT w:a1 , n:\"b \"\"c\" ( w:x ) ;");
    assert_tokens("'it''s' E'a\\'b' 'back\\' x", "s:'it''s' s:E'a\\'b' s:'back\\' w:x");
    assert_tokens("$$a;'b$$ $t$ $$ $t$ $1", "s:$$a;'b$$ s:$t$ $$ $t$ $ w:1");
    assert_tokens("a -- b 'c\nd /* e /* f */ ; */ g", "w:a w:d w:g");
    assert_tokens("ümlaut a$b", "w:ümlaut w:a$b");
    assert_tokens("", "");
    assert_tokens("  -- nothing", "");
}

static void unfinished(void **state)
{
    (void)state;
    assert_tokens("'never ends", "s:'never ends");
    assert_tokens("\"never ends", "n:\"never ends");
    assert_tokens("$a$never ends", "s:$a$never ends");
    assert_tokens("a /* never ends", "w:a");
    assert_tokens("E'\\", "s:E'\\");
}

static void assert_name(const char *sql, const char *expected)
{
    struct sql_reader r = of(sql);
    struct sql_token t;
    char *name;

    sql_next(&r, &t);
    name = sql_name(&t);
    if (expected == NULL)
        assert_null(name);
    else
        assert_string_equal(name, expected);
    free(name);
}

static void names(void **state)
{
    (void)state;
    assert_name("Role_1", "role_1");
    assert_name("\"Role \"\"x\"\"; \n\"", "Role \"x\"; \n");
    assert_name("ÄÖ", "ÄÖ"); /* as the server does it in UTF-8 */
    assert_name("'text'", NULL);
    assert_name(";", NULL);
}

static void statements(void **state)
{
    struct sql_reader r = of("-- head\nSELECT ';'; /* ; */ CREATE x AS $$;$$ ;\n last"), s;

    (void)state;
    assert_true(sql_statement(&r, &s));
    assert_memory_equal(s.at, "SELECT ';'", (size_t)(s.end - s.at));
    assert_true(sql_statement(&r, &s));
    assert_memory_equal(s.at, "CREATE x AS $$;$$ ", (size_t)(s.end - s.at));
    assert_true(sql_statement(&r, &s));
    assert_ptr_equal(s.end, r.end); /* one that nobody ended */
    assert_false(sql_statement(&r, &s));
}

static void taking(void **state)
{
    struct sql_reader r = of("alter  DATABASE x");

    (void)state;
    assert_false(sql_take(&r, "ALTER ROLE"));
    assert_true(sql_take(&r, "ALTER DATABASE"));
    assert_string_equal(r.at, " x");
    r = of("\"alter\" database");
    assert_false(sql_take(&r, "ALTER"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("words, names, strings, comments, dollar quotes are told apart", tokens),
        PROMISE("what has no end reaches to the end", unfinished),
        PROMISE("a name is what the server would make of it", names),
        PROMISE("statements end at semicolons that are no text", statements),
        PROMISE("words are taken together or not at all", taking),
    };

    return RUN_PROMISES(tests);
}
