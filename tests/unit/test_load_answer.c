/* SPDX-License-Identifier: MIT */
/* Answers are read alike however they are cut, and what is wrong with one is found wherever it is. */
#include "load/answer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct answer_case {
    const char *text;
    enum answer_result result;
    unsigned code;
    bool keep_alive, surplus, ends_by_close;
} cases[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ANSWER_DONE, 200, true, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!", ANSWER_DONE, 200, true, true, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", ANSWER_MORE, 200, true, false, false},
    {"HTTP/1.1 204 No Content\r\n\r\n", ANSWER_DONE, 204, true, false, false},
    {"HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", ANSWER_DONE, 500, false, false,
     false},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 201 Made\r\n"
     "Content-Length: 0\r\n\r\n",
     ANSWER_DONE, 201, true, false, false},
    {CHUNKED "5\r\nhello\r\n0\r\n\r\n", ANSWER_DONE, 200, true, false, false},
    {CHUNKED "5;x=y\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n", ANSWER_DONE, 200, true, false, false},
    {CHUNKED "0\r\n\r\nHTTP/1.1", ANSWER_DONE, 200, true, true, false},
    {CHUNKED "0\r\nX: ", ANSWER_MORE, 200, true, false, false},
    {CHUNKED "zz\r\n", ANSWER_BAD, 200, true, false, false},
    {CHUNKED "0\r\nno trailer\r\n\r\n", ANSWER_BAD, 200, true, false, false},
    {"HTTP/1.1 200 OK\r\n\r\nto the end", ANSWER_MORE, 200, false, false, true},
    {"HTTP/1.1 101 Switching Protocols\r\n\r\n", ANSWER_BAD, 0, false, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", ANSWER_BAD, 0, false, false, false},
    {"SSH-2.0-OpenSSH_9.2\r\n\r\n", ANSWER_BAD, 0, false, false, false},
};

/* Feeds the text in pieces of this size; the result of the last one. */
static enum answer_result feed(struct answer_reader *reader, struct answer *answer, const char *text,
                               size_t cut, bool *surplus)
{
    enum answer_result result = ANSWER_MORE;
    *surplus = false;
    answer_begin(answer);
    answer->code = 0;
    for (size_t size = strlen(text); size > 0 && result == ANSWER_MORE;) {
        size_t room, piece = size < cut ? size : cut;
        char *into = answer_room(reader, answer, &room);
        assert_true(piece <= room);
        memcpy(into, text, piece);
        text += piece;
        size -= piece;
        result = answer_take(reader, answer, piece, surplus);
        *surplus = *surplus || (result == ANSWER_DONE && size > 0);
    }
    return result;
}

/* The same where they came elsewhere, and the first piece is held until the second comes. */
static enum answer_result feed_held(struct answer_reader *reader, struct answer *answer, const char *text,
                                    size_t cut, bool *surplus)
{
    enum answer_result result = ANSWER_MORE;
    *surplus = false;
    answer_begin(answer);
    answer->code = 0;
    size_t left = strlen(text), held = cut < left ? cut / 2 : 0;
    assert_true(held == 0 || answer_hold(reader, answer, text, held));
    for (text += held, left -= held; left > 0 && result == ANSWER_MORE;) {
        size_t piece = left < cut ? left : cut;
        result = answer_feed(reader, answer, text, piece, surplus);
        text += piece;
        left -= piece;
        *surplus = *surplus || (result == ANSWER_DONE && left > 0);
    }
    return result;
}

static void no_head_is_held_that_is_too_long(void **state)
{
    (void)state;
    struct answer_reader reader;
    struct answer answer = {0};
    assert_true(answer_reader_init(&reader, HTTP1_GET));
    answer_begin(&answer);
    size_t held = 0;
    while (answer_hold(&reader, &answer, "X: y\r\n", 6))
        held += 6;
    assert_in_range(held, BUFFER_SIZE - 6, BUFFER_SIZE);
    answer_drop(&reader, &answer);
    answer_reader_fini(&reader);
}

static void answers_are_read_however_they_are_cut(void **state)
{
    (void)state;
    struct answer_reader reader;
    struct answer answer = {0};
    assert_true(answer_reader_init(&reader, HTTP1_GET));
    for (size_t cut = 1; cut < 200; cut++) {
        for (size_t i = 0; i < 2 * (sizeof cases / sizeof cases[0]); i++) {
            const struct answer_case *c = &cases[i / 2];
            bool surplus;
            enum answer_result result =
                (i % 2 == 0 ? feed : feed_held)(&reader, &answer, c->text, cut, &surplus);
            if (result != c->result || answer.code != c->code || answer.keep_alive != c->keep_alive ||
                surplus != c->surplus || answer_ends_by_close(&answer) != c->ends_by_close)
                fail_msg("case %zu in pieces of %zu: result %d, code %u", i, cut, result, answer.code);
            if (result != ANSWER_MORE)
                assert_null(answer.kept);
            answer_drop(&reader, &answer);
        }
    }
    answer_reader_fini(&reader);
}

/* Of connections that take turns: what one keeps is not the other's, and the same head again is still a head.
 */
static void connections_do_not_mix(void **state)
{
    (void)state;
    struct answer_reader reader;
    struct answer answers[2] = {0};
    assert_true(answer_reader_init(&reader, HTTP1_GET));
    for (int round = 0; round < 3; round++) {
        const char *texts[2] = {cases[0].text, cases[6].text};
        size_t sizes[2] = {strlen(texts[0]), strlen(texts[1])};
        enum answer_result results[2] = {ANSWER_MORE, ANSWER_MORE};
        for (size_t i = 0; i < sizes[1]; i++) {
            for (size_t k = 0; k < 2; k++) {
                size_t room;
                bool surplus;
                if (i == 0)
                    answer_begin(&answers[k]);
                if (i >= sizes[k])
                    continue;
                *answer_room(&reader, &answers[k], &room) = texts[k][i];
                assert_int_equal(results[k], ANSWER_MORE);
                results[k] = answer_take(&reader, &answers[k], 1, &surplus);
            }
        }
        assert_int_equal(results[0], ANSWER_DONE);
        assert_int_equal(results[1], ANSWER_DONE);
    }
    answer_reader_fini(&reader);
}

static void a_head_answer_has_no_body(void **state)
{
    (void)state;
    struct answer_reader reader;
    struct answer answer = {0};
    bool surplus;
    assert_true(answer_reader_init(&reader, HTTP1_HEAD));
    assert_int_equal(feed(&reader, &answer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 1000, &surplus),
                     ANSWER_DONE);
    answer_reader_fini(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_head_is_held_that_is_too_long),
        cmocka_unit_test(answers_are_read_however_they_are_cut),
        cmocka_unit_test(connections_do_not_mix),
        cmocka_unit_test(a_head_answer_has_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
