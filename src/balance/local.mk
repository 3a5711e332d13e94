# ascale-balance, the data path.
bin_PROGRAMS += ascale-balance
ascale_balance_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
ascale_balance_LDADD = libhttp.a libbase.a libcore.a $(JANSSON_LIBS)
ascale_balance_SOURCES = \
	src/balance/access.c \
	src/balance/access.h \
	src/balance/cli.c \
	src/balance/cli.h \
	src/balance/clients.c \
	src/balance/clients.h \
	src/balance/commands.c \
	src/balance/compose.c \
	src/balance/compose.h \
	src/balance/counters.h \
	src/balance/exchange.c \
	src/balance/exchange.h \
	src/balance/hub.h \
	src/balance/inbox.c \
	src/balance/inbox.h \
	src/balance/main.c \
	src/balance/protocol.h \
	src/balance/registry.c \
	src/balance/registry.h \
	src/balance/report.c \
	src/balance/runtime.c \
	src/balance/runtime.h \
	src/balance/sandbox.c \
	src/balance/sandbox.h \
	src/balance/session.c \
	src/balance/session.h \
	src/balance/settings.c \
	src/balance/settings.h \
	src/balance/tunnel.c \
	src/balance/upstream.c \
	src/balance/upstream.h \
	src/balance/worker.c \
	src/balance/worker.h
