/* SPDX-License-Identifier: MIT */
/* Reads answers from connections, in whatever pieces they come. A reader serves all connections of a thread;
 * what it keeps of one is in that one's struct answer. */
#ifndef LOAD_ANSWER_H
#define LOAD_ANSWER_H
#include "core/http1.h"
#include "http/buffer.h"

enum { ANSWER_KNOWN_MAX = 1024 };

struct answer {
    enum { ANSWER_HEAD, ANSWER_BODY, ANSWER_TRAILERS } part;
    bool keep_alive;     /* the server does not mean to close, once the head was read */
    uint16_t code;       /* of the final answer, once its head was read */
    struct buffer *kept; /* the start of a head or trailer section that is not complete */
    struct http1_body body;
};

struct answer_reader {
    enum http1_method asked;
    struct buffer_pool pool;
    struct buffer *input; /* of whoever keeps nothing */
    struct http1_head trailers;
    struct http1_response response; /* of the head parsed last */
    size_t known_size;              /* bytes of that head, when it was good and fits; else 0 */
    char known[ANSWER_KNOWN_MAX];
};

enum answer_result { ANSWER_MORE, ANSWER_DONE, ANSWER_BAD };

/* For answers to requests of this method; false: out of memory. */
bool answer_reader_init(struct answer_reader *reader, enum http1_method asked);
void answer_reader_fini(struct answer_reader *reader);

void answer_begin(struct answer *answer);

/* Where the next bytes of an answer go, then how many came. Surplus: there are bytes behind its end. */
char *answer_room(struct answer_reader *reader, struct answer *answer, size_t *room);
enum answer_result answer_take(struct answer_reader *reader, struct answer *answer, size_t size,
                               bool *surplus);

/* The same for bytes that came elsewhere. What is held is the start of a head: it is looked at with what is
 * fed next. False: it is too long for one, or out of memory. */
enum answer_result answer_feed(struct answer_reader *reader, struct answer *answer, const char *data,
                               size_t size, bool *surplus);
bool answer_hold(struct answer_reader *reader, struct answer *answer, const char *data, size_t size);

/* Whether the end of the connection is the end of this answer, and not a cut. */
bool answer_ends_by_close(const struct answer *answer);

/* Gives back what was kept of an answer that is over or given up. */
void answer_drop(struct answer_reader *reader, struct answer *answer);

#endif
