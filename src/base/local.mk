# What every program needs of the operating system.
noinst_LIBRARIES += libbase.a
libbase_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(INIH_CFLAGS) $(JANSSON_CFLAGS)
libbase_a_SOURCES =
