# Non-blocking connections and buffers, shared by ascale-balance and ascale-load.
noinst_LIBRARIES += libhttp.a
libhttp_a_SOURCES =
