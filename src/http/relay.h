/* SPDX-License-Identifier: MIT */
/* One direction of an exchange: bytes read into a lent buffer are turned in place into what goes out (chunks
 * are joined and framed anew, extensions dropped), behind a head composed elsewhere. Reading stops while
 * anything waits to go out: that is the back-pressure. Owned by the worker's thread. */
#ifndef HTTP_RELAY_H
#define HTTP_RELAY_H
#include "core/http1.h"
#include "http/buffer.h"
#include "http/conn.h"

struct relay {
    struct http1_body body;
    struct buffer *buffer; /* of the side that reads: raw bytes at [start, end), what goes out before them */
    struct buffer *head;   /* goes out first; NULL: nothing */
    uint32_t out, out_end; /* of buffer */
    uint32_t joined;       /* bytes before out that the head carries at its end */
    bool chunked;          /* frame it as chunks on the way out */
    bool keep_trailers;
    bool in_trailers;
    bool ended;    /* the body is read to its end */
    uint64_t sent; /* bytes written, heads included */
};

/* After the head is parsed and buffer->start is behind it. A body of known length keeps it: chunked is for
 * the others. */
void relay_begin(struct relay *r, const struct http1_head *head, bool chunked);

/* Anything waiting to go out? */
static inline bool relay_pending(const struct relay *r)
{
    return r->head || r->out < r->out_end;
}

static inline bool relay_pending_body(const struct relay *r)
{
    return r->out < r->out_end;
}

/* Gives the head up, of which nothing has been sent: it is composed anew for another receiver. */
void relay_drop_head(struct relay *r, struct buffer_pool *pool);

/* Takes in the raw bytes of the buffer; only when nothing is pending. False: the body is malformed
 * (body.why). */
bool relay_take(struct relay *r);

/* The reading side has ended: right for a body that lasts until then; false when it is cut short. */
bool relay_take_end(struct relay *r);

/* Writes what is pending. 0: all is out; -EAGAIN: some is left; -errno. */
int relay_flush(struct relay *r, struct conn *to, struct buffer_pool *pool);

/* Where more raw bytes go, after those the buffer holds; there is room whenever nothing is pending and all
 * was taken. Add what came to buffer->end. */
char *relay_room(struct relay *r, size_t *room);

/* Reads more into the buffer; what conn_read says. */
ssize_t relay_read(struct relay *r, struct conn *from);

#endif
