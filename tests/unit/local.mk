# A cmocka program a module: tests/unit/test_MODULE.c
if HAVE_CMOCKA
unit_programs =
check_PROGRAMS += $(unit_programs)
TESTS += $(unit_programs)
endif
