# ascale-tui, the control room: wiring only.
bin_PROGRAMS += ascale-tui
ascale_tui_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
ascale_tui_SOURCES = \
	src/tui/cli.c \
	src/tui/cli.h \
	src/tui/face.c \
	src/tui/face.h \
	src/tui/fixture.c \
	src/tui/fixture.h \
	src/tui/main.c \
	src/tui/programs.c \
	src/tui/programs.h \
	src/tui/settings.c \
	src/tui/settings.h
ascale_tui_LDADD = libui.a libops.a libcontrol.a libtarget.a libbase.a libcore.a \
	$(NCURSES_LIBS) $(CURL_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) -lm
