# The control thread.
noinst_LIBRARIES += libcontrol.a
libcontrol_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
libcontrol_a_SOURCES = \
	src/control/adopt.c \
	src/control/backends.c \
	src/control/backends.h \
	src/control/balancer.c \
	src/control/balancer.h \
	src/control/balancer_adopt.c \
	src/control/balancer_adopt.h \
	src/control/balancer_args.c \
	src/control/balancer_args.h \
	src/control/balancer_link.c \
	src/control/balancer_link.h \
	src/control/commands.c \
	src/control/config_load.c \
	src/control/config_load.h \
	src/control/config_manual.c \
	src/control/config_save.c \
	src/control/config_save.h \
	src/control/config_text.c \
	src/control/config_warn.c \
	src/control/control.c \
	src/control/control.h \
	src/control/control_private.h \
	src/control/ending.c \
	src/control/mailbox.c \
	src/control/mailbox.h \
	src/control/listener.c \
	src/control/listener.h \
	src/control/loadgen.c \
	src/control/loadgen.h \
	src/control/meter.c \
	src/control/meter.h \
	src/control/child.c \
	src/control/child.h \
	src/control/publish.c \
	src/control/state.c \
	src/control/state.h
