#!/usr/bin/env bash
# deps.sh - install what the tests and make lint need, on Debian, as root or with sudo. Quick when all is there.
#
#   test/deps.sh [PACKAGE...]      these too
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/../vendor/deps.sh" git zstd clang-format clang-tidy cppcheck shellcheck \
    python3-aiosmtpd python3-jsonschema "$@"
