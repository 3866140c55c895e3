# musl - the C library, and sfb-cc, the compiler that knows it
# shellcheck shell=bash disable=SC2016 # what is in single quotes is for others to expand
# source: musl
# needs:
# licence: MIT COPYRIGHT
#
# sfb-cc finds its headers and libraries beside itself, so that the finished prefix can be moved.
mkdir -p "$OUT/bin" "$OUT/lib" "$OUT/include"
if [ "$LIBC" = musl ]; then
    CC=gcc ./configure --prefix=/ --disable-shared --disable-wrapper
    make -j "$JOBS"
    make install-headers install-libs DESTDIR="$OUT"
    sh tools/musl-gcc.specs.sh @include @lib /none |
        sed -E 's|-L@lib|-L @lib|; s#@((lib|include)(/[a-zA-Z0-9]+\.o)?)#%:getenv(SFB_SYSROOT /\1)#g' >"$OUT/lib/musl.specs"
    # The kernel's own headers come from the host: they say what the kernel offers, not the C library.
    arch=/usr/include/$(gcc -print-multiarch)/asm
    [ -d "$arch" ] || arch=/usr/include/asm
    ln -s /usr/include/linux /usr/include/asm-generic "$arch" "$OUT/include/"
    flags='-specs="$SFB_SYSROOT/lib/musl.specs" -static -fno-pie -no-pie'
else
    flags='-isystem "$SFB_SYSROOT/include" -L"$SFB_SYSROOT/lib"'
fi
cat >"$OUT/bin/sfb-cc" <<END
#!/bin/sh
# The C compiler for sfb: the host's gcc with the headers and libraries that stand beside this file.
SFB_SYSROOT=\$(cd "\${0%/*}/.." && pwd)
export SFB_SYSROOT
exec gcc $flags -ffile-prefix-map="\$SFB_SYSROOT"=/sfb \${SFB_PREFIX_MAP:+-ffile-prefix-map="\$SFB_PREFIX_MAP"} "\$@"
END
chmod +x "$OUT/bin/sfb-cc"
