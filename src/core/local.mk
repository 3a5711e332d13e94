# The pure brain: no clock, file, socket, thread, malloc or global (tests/purity checks it).
noinst_LIBRARIES += libcore.a
libcore_a_SOURCES = \
	src/core/backoff.c \
	src/core/backoff.h \
	src/core/breaker.c \
	src/core/breaker.h \
	src/core/random.h \
	src/core/config.h \
	src/core/histogram.c \
	src/core/histogram.h \
	src/core/http1.h \
	src/core/options.h \
	src/core/text.h \
	src/core/units.h
