# ascale-app, the demo web application.
bin_PROGRAMS += ascale-app
ascale_app_CPPFLAGS = $(AM_CPPFLAGS) $(MHD_CFLAGS) $(JANSSON_CFLAGS)
ascale_app_SOURCES = \
	src/app/chatter.c \
	src/app/chatter.h \
	src/app/demo.c \
	src/app/demo.h \
	src/app/fleet_api.c \
	src/app/fleet_api.h \
	src/app/fleet_model.c \
	src/app/fleet_model.h \
	src/app/main.c \
	src/app/cli.c \
	src/app/cli.h \
	src/app/server.c \
	src/app/server.h
ascale_app_LDADD = libbase.a libcore.a $(MHD_LIBS) $(JANSSON_LIBS) -lm
