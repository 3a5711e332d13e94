# The control thread.
noinst_LIBRARIES += libcontrol.a
libcontrol_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
libcontrol_a_SOURCES =
