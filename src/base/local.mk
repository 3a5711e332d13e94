# What every program needs of the operating system.
noinst_LIBRARIES += libbase.a
libbase_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(INIH_CFLAGS) $(JANSSON_CFLAGS)
libbase_a_SOURCES = \
	src/base/args.c \
	src/base/args.h \
	src/base/bytes.c \
	src/base/bytes.h \
	src/base/clock.c \
	src/base/clock.h \
	src/base/file.c \
	src/base/file.h \
	src/base/file_save.c \
	src/base/file_save.h \
	src/base/http_client.c \
	src/base/http_client.h \
	src/base/ini.c \
	src/base/ini.h \
	src/base/ini_edit.c \
	src/base/ini_edit.h \
	src/base/limits.c \
	src/base/limits.h \
	src/base/log.c \
	src/base/log.h \
	src/base/printer.c \
	src/base/printer.h \
	src/base/networks.c \
	src/base/networks.h \
	src/base/loop.c \
	src/base/loop.h \
	src/base/signals.c \
	src/base/signals.h \
	src/base/spawn.c \
	src/base/spawn.h
