# A fuzzer a parser: tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput(), seeds in tests/fuzz/seeds/NAME.
# `make check` runs it with our driver, .ci/run with libFuzzer.
fuzz_programs =

check_LIBRARIES += libfuzz.a
libfuzz_a_SOURCES = tests/fuzz/driver.c
libfuzz_a_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_SEEDS='"$(abs_top_srcdir)/tests/fuzz/seeds"'

fuzz_programs += fuzz_text
fuzz_text_SOURCES = tests/fuzz/fuzz_text.c
fuzz_text_LDADD = libfuzz.a libcore.a
EXTRA_DIST += tests/fuzz/seeds/text

fuzz_programs += fuzz_config
fuzz_config_SOURCES = tests/fuzz/fuzz_config.c
fuzz_config_LDADD = libfuzz.a libcore.a
EXTRA_DIST += tests/fuzz/seeds/config

fuzz_programs += fuzz_http1
fuzz_http1_SOURCES = tests/fuzz/fuzz_http1.c
fuzz_http1_LDADD = libfuzz.a libcore.a
EXTRA_DIST += tests/fuzz/seeds/http1

fuzz_programs += fuzz_relay
fuzz_relay_SOURCES = tests/fuzz/fuzz_relay.c
fuzz_relay_LDADD = libfuzz.a libhttp.a libbase.a libcore.a
EXTRA_DIST += tests/fuzz/seeds/relay

fuzz_programs += fuzz_ini
fuzz_ini_SOURCES = tests/fuzz/fuzz_ini.c
fuzz_ini_LDADD = libfuzz.a libbase.a libcore.a $(INIH_LIBS)
EXTRA_DIST += tests/fuzz/seeds/ini

fuzz_programs += fuzz_input
fuzz_input_SOURCES = tests/fuzz/fuzz_input.c
fuzz_input_LDADD = libfuzz.a libui.a libcore.a
EXTRA_DIST += tests/fuzz/seeds/input

check_PROGRAMS += $(fuzz_programs)
TESTS += $(fuzz_programs)
