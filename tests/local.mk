include tests/unit/local.mk
include tests/e2e/local.mk
