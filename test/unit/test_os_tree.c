/* SPDX-License-Identifier: PostgreSQL */
/* test_os_tree.c - a directory is removed with all that is in it, and nothing beside it. */
#include "test/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/base/os.h"

static void put(const char *path)
{
    struct err err = { 0 };

    assert_int_equal(os_write_file(path, "x", 1, &err), 0);
}

static void a_tree_goes_and_what_links_point_to_stays(void **state)
{
    struct err err = { 0 };

    (void)state;
    assert_int_equal(os_make_dirs("tree/a/b/c", 0700, &err), 0);
    assert_int_equal(os_make_dirs("beside", 0700, &err), 0);
    put("tree/file");
    put("tree/a/b/.hidden");
    put("beside/kept");
    assert_int_equal(symlink("../beside", "tree/link"), 0);
    assert_int_equal(symlink("../../beside/kept", "tree/a/link"), 0);
    assert_int_equal(symlink("nowhere", "tree/a/dangling"), 0);
    assert_int_equal(os_remove_tree("tree", &err), 0);
    assert_int_equal(unit_count_files(), 1);
    assert_int_equal(access("beside/kept", F_OK), 0);
}

static void what_is_not_there_is_no_failure(void **state)
{
    struct err err = { 0 };

    (void)state;
    assert_int_equal(os_remove_tree("nothing", &err), 0);
    assert_int_equal(symlink("..", "link"), 0);
    assert_int_equal(os_remove_tree("link", &err), 0);
    assert_int_equal(unit_count_files(), 0);
}

static void what_can_be_removed_is_removed_and_the_rest_is_told(void **state)
{
    struct err err = { 0 };

    (void)state;
    if (geteuid() == 0) { /* who may do everything finds no obstacle */
        assert_int_equal(chown(".", 65534, 65534), 0);
        assert_int_equal(seteuid(65534), 0);
    }
    assert_int_equal(os_make_dirs("tree/closed", 0700, &err), 0);
    put("tree/closed/kept");
    put("tree/other");
    assert_int_equal(chmod("tree/closed", 0500), 0);
    assert_int_equal(os_remove_tree("tree", &err), -1);
    assert_non_null(strstr(err.message, "kept"));
    assert_int_equal(faccessat(AT_FDCWD, "tree/closed/kept", F_OK, AT_EACCESS), 0);
    assert_int_equal(faccessat(AT_FDCWD, "tree/other", F_OK, AT_EACCESS), -1);
    assert_int_equal(seteuid(getuid()), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_IN_DIR("a tree goes, and what links point to stays", a_tree_goes_and_what_links_point_to_stays),
        PROMISE_IN_DIR("what is not there is no failure", what_is_not_there_is_no_failure),
        PROMISE_IN_DIR("what can be removed is removed, and the rest is told",
                       what_can_be_removed_is_removed_and_the_rest_is_told),
    };

    return RUN_PROMISES(tests);
}
