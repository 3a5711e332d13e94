# The pure brain: no clock, file, socket, thread, malloc or global (tests/purity checks it).
noinst_LIBRARIES += libcore.a
libcore_a_SOURCES = \
	src/core/argv.c \
	src/core/argv.h \
	src/core/arrivals.c \
	src/core/arrivals.h \
	src/core/backoff.c \
	src/core/backoff.h \
	src/core/breaker.c \
	src/core/breaker.h \
	src/core/config.c \
	src/core/config.h \
	src/core/config_check.c \
	src/core/histogram.c \
	src/core/histogram.h \
	src/core/http1.h \
	src/core/http1_body.c \
	src/core/http1_head.c \
	src/core/http1_parse.h \
	src/core/http1_request.c \
	src/core/http1_response.c \
	src/core/options.c \
	src/core/options.h \
	src/core/random.h \
	src/core/text.c \
	src/core/text.h \
	src/core/text_width.c \
	src/core/units.c \
	src/core/units.h
