# unit.mk - builds and runs the unit tests. Included by GNUmakefile.
#
# The pattern: test/unit/test_NAME.c is one executable, found by its name alone. It includes "test/unit/unit.h" and the
# header of what it tests, and ends in main() with a table of PROMISE("a sentence that would be false if the code were
# broken", function). It is linked with an archive of everything in core/, built for the host's C library with ASan and
# UBSan, and takes from it what it needs; so a test names no object. A function that a test defines itself (a stub of
# a lower layer, say) goes before the archive's, if it defines all that the object it replaces would be linked for.
#
#   make check-unit                       all of them, run by prove
#   make build/unit/test_text && build/unit/test_text
#
# Third-party libraries are the very ones the product is linked with (their static archives get along with glibc), as
# our libdeflate is patched and the distribution's is not. libpq and OpenSSL are the host's. `make SANITIZE=1 check-unit`
# takes libraries that were built for the host's C library; the first time that costs minutes.
UNIT_V        ?= $(V)
UNIT_CC       ?= gcc
UNIT_SANITIZE ?= $(sanitizers_$(variant)) -fno-omit-frame-pointer
UNIT_CFLAGS   ?= -std=gnu11 -g -O1 -fno-pie -Wall -Wextra -Werror
UNIT_CPPFLAGS ?= -I. -I$(B)/gen -I$(B)/unit/include -I/usr/include/postgresql -D_GNU_SOURCE \
                 -include test/unit/libpq.h
UNIT_LIBS     ?= $(wildcard $(addprefix $(UNIT_V)/lib/lib,$(addsuffix .a, \
                   curl archive cjson mbedtls mbedx509 mbedcrypto deflate xxhash zstd lz4 bz2 lzma z))) -lpq -lssl -lcrypto

unit_tests   := $(patsubst test/unit/%.c,$(B)/unit/%,$(wildcard test/unit/test_*.c))
unit_objects := $(patsubst %.c,$(B)/unit/%.o,$(wildcard core/*/*.c))

# Those headers of $(UNIT_V) that are not the C library's, the host's libpq's or the host's OpenSSL's.
unit_headers := sfb_pg_majors.h curl archive.h archive_entry.h cJSON.h cjson mbedtls psa libdeflate.h xxhash.h xxh3.h zstd.h \
                zstd_errors.h zdict.h lz4.h lz4frame.h lz4hc.h bzlib.h lzma.h lzma zlib.h zconf.h

$(B)/unit/include: $(B)/vendor-path test/unit/unit.mk
	@rm -rf $@ && mkdir -p $@
	@for h in $(unit_headers); do [ ! -e $(UNIT_V)/include/$$h ] || ln -s $(UNIT_V)/include/$$h $@/; done

$(B)/unit/%.o: %.c $(gen) test/unit/unit.mk | $(B)/unit/include
	@mkdir -p $(@D)
	@echo "unit cc $<"
	@$(UNIT_CC) $(UNIT_CPPFLAGS) $(UNIT_CFLAGS) $(UNIT_SANITIZE) -MMD -MP -c -o $@ $<

$(B)/unit/embed.o: vendor/embed.S LICENSE $(B)/vendor-path
	@mkdir -p $(@D)
	@$(UNIT_CC) -Wa,-I,$(UNIT_V)/share -c -o $@ $<

$(B)/unit/core.a: $(unit_objects) $(B)/unit/embed.o
	@rm -f $@
	@ar rc $@ $^

$(B)/unit/test_%: test/unit/test_%.c $(B)/unit/core.a
	@echo "unit ld $@"
	@$(UNIT_CC) $(UNIT_CPPFLAGS) $(UNIT_CFLAGS) $(UNIT_SANITIZE) -no-pie -MMD -MP -o $@ $< $(B)/unit/core.a $(UNIT_LIBS) \
	    $(B)/unit/core.a -lcmocka -lm -pthread

# Programs for the live tests that talk to a layer of core itself, with the same sanitizers: test/live/tool_NAME.c.
tools: $(patsubst test/live/%.c,$(B)/unit/%,$(wildcard test/live/tool_*.c))
$(B)/unit/tool_%: test/live/tool_%.c $(B)/unit/core.a
	@echo "unit ld $@"
	@$(UNIT_CC) $(UNIT_CPPFLAGS) $(UNIT_CFLAGS) $(UNIT_SANITIZE) -no-pie -MMD -MP -o $@ $< $(B)/unit/core.a $(UNIT_LIBS) \
	    $(B)/unit/core.a -lm -pthread

unit: $(unit_tests) tools ## build the unit tests, and the live tests' own programs
check-unit: unit ## build the unit tests and run them
	@CMOCKA_MESSAGE_OUTPUT=TAP prove -j$$(nproc) --exec '' $(unit_tests)

.PHONY: unit check-unit tools
