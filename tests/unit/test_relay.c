/* SPDX-License-Identifier: MIT */
/* What the fuzzer of the relay does not look at: which trailers go on, and a head that is given up. */
#include "http/relay.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct buffer in;

static void begin(struct relay *r, enum http1_framing framing, uint64_t length, const char *text)
{
    struct http1_head head = {.framing = framing, .content_length = length};
    *r = (struct relay){.buffer = &in, .keep_trailers = true};
    in.start = in.end = BUFFER_BASE;
    memcpy(in.bytes + in.end, text, strlen(text));
    in.end += (uint32_t)strlen(text);
    relay_begin(r, &head, framing == HTTP1_CHUNKED);
}

static void assert_out(const struct relay *r, const char *expected)
{
    assert_int_equal(r->out_end - r->out, strlen(expected));
    assert_memory_equal(in.bytes + r->out, expected, strlen(expected));
}

static void chunks_are_joined_and_extensions_dropped(void **state)
{
    (void)state;
    struct relay r;
    begin(&r, HTTP1_CHUNKED, 0, "1;a=b\r\nx\r\n2\r\nyz\r\n0\r\n\r\nnext");
    assert_true(relay_take(&r));
    assert_out(&r, "3\r\nxyz\r\n0\r\n\r\n");
    assert_true(r.ended);
    assert_int_equal(in.end - in.start, 4);
}

static void trailers_that_belong_in_a_head_stay_behind(void **state)
{
    (void)state;
    struct relay r;
    begin(&r, HTTP1_CHUNKED, 0,
          "0\r\nX-Sum: 1\r\nContent-Length: 5\r\nauthorization: x\r\nX-Forwarded-For: y\r\nSet-Cookie: "
          "z\r\nEtag: q\r\n\r\n");
    assert_true(relay_take(&r));
    assert_out(&r, "0\r\nX-Sum:1\r\nEtag:q\r\n\r\n");
}

static void a_body_joined_to_a_head_outlives_it(void **state)
{
    (void)state;
    struct buffer_pool pool;
    struct relay r;
    struct conn full = {.source.fd = -1, .writable = true};
    buffer_pool_init(&pool, 4);
    begin(&r, HTTP1_LENGTH, 4, "body");
    assert_true(relay_take(&r));
    r.head = buffer_lend(&pool);
    memcpy(r.head->bytes + r.head->end, "head", 4);
    r.head->end += 4;
    assert_true(relay_flush(&r, &full, &pool) < 0); /* there is no such descriptor */
    relay_drop_head(&r, &pool);
    assert_out(&r, "body");
    assert_int_equal(pool.lent, 0);
    buffer_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_joined_and_extensions_dropped),
        cmocka_unit_test(trailers_that_belong_in_a_head_stay_behind),
        cmocka_unit_test(a_body_joined_to_a_head_outlives_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
