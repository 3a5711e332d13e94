# Non-blocking connections and buffers, shared by ascale-balance and ascale-load.
noinst_LIBRARIES += libhttp.a
libhttp_a_SOURCES = \
	src/http/address.c \
	src/http/buffer.c \
	src/http/buffer.h \
	src/http/conn.c \
	src/http/conn.h \
	src/http/event.c \
	src/http/event.h \
	src/http/poison.h \
	src/http/relay.c \
	src/http/relay.h \
	src/http/slab.c \
	src/http/slab.h
