#!/usr/bin/env bats
# demo.bats - what a newcomer types first works, twice, and leaves nothing.
load harness

setup_file() { file_begin; }
teardown_file() { file_end; }

@test "the demo loses a database and brings it back, every row of it; and can be run again" {
    mkdir "$ROOT/tmp"
    ! is_root || chmod 1777 "$ROOT/tmp"
    for _ in 1 2; do
        run -0 --separate-stderr env TMPDIR="$ROOT/tmp" "$TOP/packaging/demo.sh"
        has "$output" '^   \| ✅ Backup completed successfully$'
        has "$output" 'database "signupflow" does not exist$'
        has "$output" '^   \| ✅ Database restore completed successfully$'
        has "$output" '✅ 440,300 rows, .* every checksum is the same'
        empty_dir "$ROOT/tmp"
    done
}
