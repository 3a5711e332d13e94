# ascale-load, the load generator.
bin_PROGRAMS += ascale-load
ascale_load_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
ascale_load_SOURCES = \
	src/load/answer.c \
	src/load/answer.h \
	src/load/commands.c \
	src/load/commands.h \
	src/load/engine.h \
	src/load/engine_curl.c \
	src/load/engine_plain.c \
	src/load/main.c \
	src/load/options.c \
	src/load/options.h \
	src/load/pacer.c \
	src/load/pacer.h \
	src/load/plan.c \
	src/load/plan.h \
	src/load/report.c \
	src/load/report.h \
	src/load/run.c \
	src/load/run.h \
	src/load/stats.c \
	src/load/stats.h \
	src/load/table.c \
	src/load/table.h \
	src/load/team.c \
	src/load/team.h \
	src/load/trace.c \
	src/load/trace.h \
	src/load/worker.c \
	src/load/worker.h
ascale_load_LDADD = libhttp.a libbase.a libcore.a $(CURL_LIBS) $(JANSSON_LIBS) -lm
