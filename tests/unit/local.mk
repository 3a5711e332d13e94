# A cmocka program a module: tests/unit/test_MODULE.c
if HAVE_CMOCKA
unit_programs =

unit_programs += test_histogram
test_histogram_SOURCES = tests/unit/test_histogram.c
test_histogram_LDADD = libcore.a $(CMOCKA_LIBS)

unit_programs += test_backoff
test_backoff_SOURCES = tests/unit/test_backoff.c
test_backoff_LDADD = libcore.a $(CMOCKA_LIBS)

check_PROGRAMS += $(unit_programs)
TESTS += $(unit_programs)
endif
