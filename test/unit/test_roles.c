/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/base/names.h"
#include "core/pg/roles.h"

static void assert_roles(const char *sql, const char *expected)
{
    struct names found = { 0 };
    struct err err = { 0 };
    struct buf out;

    buf_init(&out, 4096);
    assert_int_equal(roles_of_statement(sql, strlen(sql), &found, &err), 0);
    for (size_t i = 0; i < found.n; i++)
        buf_printf(&out, "%s%s", i > 0 ? "|" : "", found.items[i]);
    assert_string_equal(out.data, expected);
    buf_release(&out);
    names_release(&found);
}

static void grants(void **state)
{
    (void)state;
    assert_roles("GRANT SELECT ON TABLE s.t TO reader;", "reader");
    assert_roles("GRANT SELECT(a),UPDATE(\"to\") ON TABLE s.\"TO x\" TO PUBLIC, \"We ird\", GROUP c;", "We ird|c");
    assert_roles(
        "REVOKE ALL ON FUNCTION f(\"from\" integer) FROM PUBLIC;\nGRANT ALL ON FUNCTION f(a int) TO x WITH GRANT OPTION;",
        "x");
    assert_roles("GRANT USAGE ON SCHEMA a TO b GRANTED BY c", "b|c");
    assert_roles("SET SESSION AUTHORIZATION boss;\nGRANT SELECT ON t TO x;\nRESET SESSION AUTHORIZATION;", "boss|x");
    assert_roles("GRANT SELECT ON t TO \"a\"\"b\nc\"", "a\"b\nc");
}

static void others(void **state)
{
    (void)state;
    assert_roles("ALTER DEFAULT PRIVILEGES FOR ROLE a IN SCHEMA s GRANT SELECT ON TABLES TO b", "a|b");
    assert_roles("ALTER DEFAULT PRIVILEGES FOR ROLE a REVOKE ALL ON FUNCTIONS FROM PUBLIC", "a");
    assert_roles("CREATE POLICY p ON s.t AS RESTRICTIVE FOR SELECT TO a, b USING (x TO y)", "a|b");
    assert_roles("CREATE POLICY p ON t USING ((u = CURRENT_USER))", "");
    assert_roles("CREATE USER MAPPING FOR \"A\" SERVER s OPTIONS (\"user\" 'for')", "A");
    assert_roles("ALTER TABLE \"OWNER\".t OWNER TO lord", "lord");
    assert_roles("ALTER FUNCTION f(a text) OWNER TO CURRENT_USER", "");
}

static void no_roles(void **state)
{
    (void)state;
    assert_roles("CREATE FUNCTION f() RETURNS void AS $$ GRANT x TO y; $$;", "");
    assert_roles("INSERT INTO t VALUES ('; GRANT x TO y;');", "");
    assert_roles("COMMENT ON TABLE t IS 'OWNER TO me'", "");
    assert_roles("-- GRANT x TO y;\nSELECT 1", "");
}

static void arrays(void **state)
{
    struct names names = { 0 };
    struct err err = { 0 };
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    names_add(&names, "b\"\\", &err);
    names_add(&names, "a, {c}", &err);
    roles_array(&out, &names);
    assert_string_equal(out.data, "{\"a, {c}\",\"b\\\"\\\\\"}");
    buf_release(&out);
    names_release(&names);
}

static void sets(void **state)
{
    struct names names = { 0 };
    struct err err = { 0 };
    struct buf out;
    char name[16];

    (void)state;
    buf_init(&out, 4096);
    names_list(&out, &names);
    assert_string_equal(out.data, "");
    names_add(&names, "b", &err);
    names_add(&names, "a", &err);
    names_add(&names, "b", &err);
    assert_int_equal(names.n, 2);
    assert_true(names_have(&names, "a"));
    assert_false(names_have(&names, "c"));
    names_list(&out, &names);
    assert_string_equal(out.data, "a and b");
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "x%02d", i);
        names_add(&names, name, &err);
    }
    buf_reset(&out);
    names_list(&out, &names);
    assert_string_equal(out.data, "a, b, x00, x01, x02, x03, x04, x05, x06, x07, x08, x09 and 10 more");
    buf_release(&out);
    names_release(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("GRANT and REVOKE name those they give to and take from", grants),
        PROMISE("policies, mappings, owners and default privileges name roles, too", others),
        PROMISE("text that looks like a GRANT is none", no_roles),
        PROMISE("any names make an array literal", arrays),
        PROMISE("a set has each name once, in order, and is shown briefly", sets),
    };

    return RUN_PROMISES(tests);
}
