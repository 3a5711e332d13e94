# ascale-load, the load generator.
bin_PROGRAMS += ascale-load
ascale_load_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
ascale_load_SOURCES = \
	src/load/answer.c \
	src/load/answer.h \
	src/load/commands.c \
	src/load/commands.h \
	src/load/driver.h \
	src/load/driver_curl.c \
	src/load/driver_plain.c \
	src/load/main.c \
	src/load/cli.c \
	src/load/cli.h \
	src/load/pacer.c \
	src/load/pacer.h \
	src/load/plan.c \
	src/load/plan.h \
	src/load/output.c \
	src/load/output.h \
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
	src/load/thread.c \
	src/load/thread.h
ascale_load_LDADD = libhttp.a libbase.a libcore.a $(CURL_LIBS) $(JANSSON_LIBS) -lm
