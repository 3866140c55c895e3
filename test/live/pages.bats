#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets output
# pages.bats - the pages in headless Chromium: on a phone and at a desk, by day and by night, on paper, for every reader.
#
# Run by make check-pages; needs chromium, chromium-driver, poppler-utils and npm, which fetches axe-core.
load harness
load drill-tools

setup_file() {
    local kind
    file_begin
    [ -x "$TOP/build/unit/tool_page" ] || { echo "there is no build/unit/tool_page: make tools" >&2; return 1; }
    export PAGES=$ROOT/pages AXE
    mkdir "$PAGES"
    AXE=$("$TOP/test/axe.sh")
    for kind in $("$TOP/build/unit/tool_page" --list); do
        "$TOP/build/unit/tool_page" "$kind" >"$PAGES/$kind.html"
    done
}
teardown_file() { file_end; }
setup() { test_begin; }
teardown() { test_end; }

browser() { timeout -k 5 900 python3 "$TOP/test/live/browser.py" "$@"; }
check_pages() { run -0 browser check --axe "$AXE" "$PAGES" "$@"; }

@test "pages of any content load nothing, say nothing, fit the screen, and can be read by everybody: axe-core finds no fault" {
    cd "$PAGES"
    [ "$(find . -name '*.html' | wc -l)" -ge 6 ]
    check_pages -- *.html
    [ -z "$output" ]
}

@test "so do the pages of a real drill and of the status after it" {
    pg_start
    drill_shop
    drill_environment
    take_backup
    sfb drill --report "$PAGES/real.html" >/dev/null
    sfb status --local-only --html "$PAGES/real-status.html" >/dev/null || :
    check_pages real.html real-status.html
}

@test "a fault is seen: a request, a message, a width, a contrast, a missing name" {
    local good=$PAGES/passed.html
    break_page() { # SED WHAT IS SAID
        sed "$1" "$good" >"$PAGES/broken.html"
        cmp -s "$good" "$PAGES/broken.html" && return 1
        run -1 browser check --axe "$AXE" "$PAGES" broken.html
        has "$output" "$2"
    }
    break_page 's|http-equiv="Content-Security-Policy"|name="none"|; s|</header>|<img alt="" src="elsewhere.png">&|' 'it asks for .*elsewhere.png'
    break_page 's|</header>|<img alt="" src="https://example.com/x.png">&|' 'the console says'
    break_page 's|</header>|<p style="width:2000px">wide</p>&|' 'wider than the screen'
    break_page 's|--soft:#[0-9a-f]*|--soft:#aab|' 'color-contrast'
    break_page 's|--soft:#[0-9a-f]*|--soft:#aab|' 'letters of a chart'
    break_page 's| lang="en"||' 'html-has-lang'
    rm "$PAGES/broken.html"
}

@test "on paper a page is dark on light, whole, and keeps its words" {
    browser print "$PAGES/failed.html" "$T/failed.pdf"
    pdftotext -layout "$T/failed.pdf" "$T/failed.txt"
    has "$(cat "$T/failed.txt")" 'does not bring the database back'
    has "$(cat "$T/failed.txt")" 'public\.signups +differs +3,300,314 +3,300,313'
    pdftoppm -r 20 -f 1 -l 1 -gray "$T/failed.pdf" "$T/paper"
    [ "$(python3 -c 'import sys; p = open(sys.argv[1], "rb").read()[-20000:]; print(sorted(p)[len(p) // 2])' "$(the_file "$T" 'paper*.pgm')")" = 255 ]
}
