# What can be scaled.
noinst_LIBRARIES += libtarget.a
libtarget_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
libtarget_a_SOURCES = \
	src/target/ports.c \
	src/target/ports.h \
	src/target/proc.c \
	src/target/proc.h \
	src/target/proctree.c \
	src/target/proctree.h \
	src/target/target.h
