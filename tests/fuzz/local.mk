# A fuzzer a parser: tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput(), seeds in tests/fuzz/seeds/NAME.
# `make check` runs it with our driver, .ci/run with libFuzzer.
fuzz_programs =

check_LIBRARIES += libfuzz.a
libfuzz_a_SOURCES = tests/fuzz/driver.c
libfuzz_a_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_SEEDS='"$(abs_top_srcdir)/tests/fuzz/seeds"'

check_PROGRAMS += $(fuzz_programs)
TESTS += $(fuzz_programs)
