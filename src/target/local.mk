# What can be scaled.
noinst_LIBRARIES += libtarget.a
libtarget_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
libtarget_a_SOURCES = \
	src/target/applog.c \
	src/target/applog.h \
	src/target/cgroup.c \
	src/target/cgroup.h \
	src/target/health.c \
	src/target/health.h \
	src/target/process_instance.c \
	src/target/process_instance.h \
	src/target/launch.c \
	src/target/launch.h \
	src/target/ports.c \
	src/target/ports.h \
	src/target/proc.c \
	src/target/proc.h \
	src/target/proctree.c \
	src/target/proctree.h \
	src/target/process.c \
	src/target/remote.c \
	src/target/remote_wire.c \
	src/target/remote_wire.h \
	src/target/requests.c \
	src/target/requests.h \
	src/target/survivors.c \
	src/target/survivors.h \
	src/target/target.c \
	src/target/target.h
