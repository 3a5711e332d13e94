# A test that hangs fails, and none leaves anything behind.
LOG_COMPILER = $(srcdir)/tests/contained
AM_TESTS_ENVIRONMENT = CC='$(CC)' NM='$(NM)' LD='$(LD)'; export CC NM LD;

TESTS += tests/layering tests/purity tests/hand
EXTRA_DIST += tests/totals tests/contained tests/flaky tests/layering tests/purity tests/hand tests/distribution tests/cppcheck.supp
EXTRA_DIST += tests/bench/force_scaling tests/bench/idle_vs_htop tests/bench/load_vs_wrk tests/bench/remote_twin

# Built only for the benchmarks, by name.
EXTRA_PROGRAMS = bench_responder bench_answer
bench_responder_SOURCES = tests/bench/responder.c
bench_answer_SOURCES = tests/bench/answer.c
bench_answer_LDADD = libhttp.a libbase.a
EXTRA_DIST += tests/bench/balance_vs_haproxy tests/bench/haproxy.cfg

include tests/unit/local.mk
include tests/fuzz/local.mk
include tests/e2e/local.mk
