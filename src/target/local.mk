# What can be scaled.
noinst_LIBRARIES += libtarget.a
libtarget_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
libtarget_a_SOURCES =
