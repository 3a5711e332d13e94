TESTS += tests/layering
EXTRA_DIST += tests/totals tests/layering

include tests/unit/local.mk
include tests/e2e/local.mk
