# ascale-app, the demo web application.
bin_PROGRAMS += ascale-app
ascale_app_CPPFLAGS = $(AM_CPPFLAGS) $(MHD_CFLAGS) $(JANSSON_CFLAGS)
ascale_app_SOURCES = \
	src/app/chatter.c \
	src/app/chatter.h \
	src/app/demo.c \
	src/app/demo.h \
	src/app/fleet.c \
	src/app/fleet.h \
	src/app/fleet_model.c \
	src/app/fleet_model.h \
	src/app/main.c \
	src/app/options.c \
	src/app/options.h \
	src/app/server.c \
	src/app/server.h
ascale_app_LDADD = libbase.a libcore.a $(MHD_LIBS) $(JANSSON_LIBS) -lm
