# libdeflate - the compressor of our archives; the patch adds segments that can be joined
# shellcheck shell=bash
# source: libdeflate
# needs: musl
# licence: MIT COPYING
make -j "$JOBS" libdeflate.a
install_lib libdeflate.a
install_headers libdeflate.h
