# What looks at the control room from outside.
noinst_LIBRARIES += libops.a
libops_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
libops_a_SOURCES = \
	src/ops/snapshot_json.c \
	src/ops/snapshot_json.h
