/* SPDX-License-Identifier: MIT */
/* What terminals send, whole, in pieces and broken: the keys, the pastes, and nothing else. */
#include "ui/input.h"
#include "ui/key.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ESC_DELAY (100 * USEC_PER_MSEC)

struct desk {
    struct input in;
    usec_t now;
    int keys[64], count, pastes, ends;
};

static void open_desk(struct desk *desk)
{
    *desk = (struct desk){.now = 1};
    input_init(&desk->in, ESC_DELAY);
}

static void note(struct desk *desk, const struct input_event *event)
{
    if (event->kind == INPUT_KEY && desk->count < 64)
        desk->keys[desk->count++] = event->key;
    desk->pastes += event->kind == INPUT_PASTED;
    desk->ends += event->kind == INPUT_PASTE_END;
}

/* One read. */
static void sent(struct desk *desk, const char *bytes, size_t size)
{
    struct input_event event;
    while (size > 0) {
        size_t used = input_take(&desk->in, bytes, size, desk->now, &event);
        note(desk, &event);
        bytes += used;
        size -= used;
    }
}

static void rests(struct desk *desk, usec_t span)
{
    struct input_event event;
    desk->now += span;
    while (input_expire(&desk->in, desk->now, &event))
        note(desk, &event);
}

/* Just these, 0 at the end. */
static void assert_keys(struct desk *desk, const int *keys)
{
    int count = 0;
    while (keys[count])
        count++;
    assert_int_equal(desk->count, count);
    for (int i = 0; i < count; i++)
        assert_int_equal(desk->keys[i], keys[i]);
    desk->count = 0;
}

#define SENT(desk, text) sent(desk, text, strlen(text))
#define KEYS(desk, ...)  assert_keys(desk, (const int[]){__VA_ARGS__, 0})
#define NO_KEYS(desk)    assert_int_equal((desk)->count, 0)

static const struct {
    const char *bytes;
    int key;
} sequences[] = {
    {"\033[A", UI_KEY_UP},
    {"\033OA", UI_KEY_UP},
    {"\033[D", UI_KEY_LEFT},
    {"\033[H", UI_KEY_HOME},
    {"\033OH", UI_KEY_HOME},
    {"\033[1~", UI_KEY_HOME},
    {"\033[7~", UI_KEY_HOME},
    {"\033[F", UI_KEY_END},
    {"\033OF", UI_KEY_END},
    {"\033[4~", UI_KEY_END},
    {"\033[8~", UI_KEY_END},
    {"\033[3~", UI_KEY_DELETE},
    {"\033[5~", UI_KEY_PAGE_UP},
    {"\033[Z", UI_KEY_BACK_TAB},
    {"\033OP", UI_KEY_F1},
    {"\033[11~", UI_KEY_F1},
    {"\033[[A", UI_KEY_F1},
    {"\033[[B", UI_KEY_F2},
    {"\033[20~", UI_KEY_F9},
    {"\033[21~", UI_KEY_F10},
    {"\033OM", UI_KEY_ENTER},
    {"\033Ok", '+'},
    {"\033Oq", '1'},
};

/* Nothing that anybody typed, or nothing of ours. */
static const char *const silent[] = {
    "\033[I",
    "\033[O",
    "\033[?64;1;2c",
    "\033[>41;354;0c",
    "\033[24;80R",
    "\033[?2004;0$y",
    "\033[4;2$y",
    "\033]11;rgb:ffff/0000/ffff\007",
    "\033]10;rgb:1/2/3\033\\",
    "\033P1+r436f=38\033\\",
    "\033_Gi=1;OK\033\\",
    "\033[?1u",
    "\033[113u",
    "\033[97;5u",
    "\033[27;5;113~",
    "\033[1;5A",
    "\033[1;2P",
    "\033[15~",
    "\033[24~",
    "\033[[E",
    "\033OR",
    "\033Oa",
    "\033O5A",
    "\033[7$",
    "\033[7^",
    "\033[3@",
    "\033[2~",
    "\033[E",
    "\033[<0;5;7M",
    "\033[<0;5;7m",
    "\033[M !!",
    "\033[32;5;5M",
    "\033q",
    "\033s",
    "\033\303\251",
    "\033\033[A",
    "\033\033OB",
    "\033[999;999H",
    "\033[12345678901234567890123456789012345678901234567890q",
};

static void keys_are_known_whole_and_in_pieces(void **ctx)
{
    struct desk desk;
    (void)ctx;
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
        const char *bytes = sequences[i].bytes;
        size_t size = strlen(bytes);
        for (size_t cut = 0; cut < size; cut++) {
            open_desk(&desk);
            sent(&desk, bytes, cut);
            rests(&desk, 60 * USEC_PER_MSEC);
            sent(&desk, bytes + cut, size - cut);
            SENT(&desk, "j");
            KEYS(&desk, sequences[i].key, 'j');
        }
    }
}

static void what_nobody_typed_is_no_key(void **ctx)
{
    struct desk desk;
    (void)ctx;
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
        size_t size = strlen(silent[i]);
        open_desk(&desk);
        sent(&desk, silent[i], size);
        SENT(&desk, "j");
        KEYS(&desk, 'j');
        for (size_t cut = 2; cut < size && silent[i][1] != '\033'; cut++) {
            sent(&desk, silent[i], cut);
            rests(&desk, 60 * USEC_PER_MSEC);
            sent(&desk, silent[i] + cut, size - cut);
            NO_KEYS(&desk);
        }
    }
}

static void a_lone_escape_is_a_key_after_its_delay(void **ctx)
{
    struct desk desk;
    (void)ctx;
    open_desk(&desk);
    SENT(&desk, "\033");
    rests(&desk, ESC_DELAY - 1);
    NO_KEYS(&desk);
    rests(&desk, 1);
    KEYS(&desk, UI_KEY_ESC);
    SENT(&desk, "\033");
    SENT(&desk, "q"); /* another read: another key */
    KEYS(&desk, UI_KEY_ESC, 'q');
    SENT(&desk, "\033\033");
    rests(&desk, ESC_DELAY);
    KEYS(&desk, UI_KEY_ESC, UI_KEY_ESC);
    assert_true(input_due(&desk.in) == USEC_NEVER);
}

static void what_stops_short_is_given_up(void **ctx)
{
    static const char *const broken[] = {"\033[",   "\033[1;", "\033O", "\033]0;x", "\033P",
                                         "\033[M!", "\033[[",  "\303",  "\342\202", "\033]0;x\033"};
    struct desk desk;
    (void)ctx;
    open_desk(&desk);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        sent(&desk, broken[i], strlen(broken[i]));
        rests(&desk, 10 * USEC_PER_SEC);
        desk.count = 0; /* an Esc that broke a string off counts as one */
        SENT(&desk, "j");
        KEYS(&desk, 'j');
    }
}

static void characters_come_in_pieces(void **ctx)
{
    struct desk desk;
    (void)ctx;
    open_desk(&desk);
    SENT(&desk, "\342");
    SENT(&desk, "\202");
    sent(&desk, "\254\0\377", 3);
    KEYS(&desk, 0x20AC);
    SENT(&desk, "\303j\300\200\355\240\200\n");
    KEYS(&desk, 'j', UI_KEY_ENTER);
}

static void a_paste_is_text_whatever_it_holds(void **ctx)
{
    static const char bytes[] = "\033[200~q\003\033[A\033[20\033[200~\0y\033[201~";
    struct desk desk;
    (void)ctx;
    for (size_t cut = 0; cut < sizeof bytes - 1; cut++) {
        open_desk(&desk);
        sent(&desk, bytes, cut);
        rests(&desk, 60 * USEC_PER_MSEC);
        sent(&desk, bytes + cut, sizeof bytes - 1 - cut);
        NO_KEYS(&desk);
        assert_int_equal(desk.pastes, 1);
        assert_int_equal(desk.in.paste_size, sizeof bytes - 1 - 12);
        assert_memory_equal(desk.in.paste, bytes + 6, desk.in.paste_size);
        assert_false(desk.in.paste_cut);
    }
}

static void a_paste_without_end_ends(void **ctx)
{
    struct desk desk;
    (void)ctx;
    open_desk(&desk);
    SENT(&desk, "\033[200~q");
    for (int i = 0; i < 100000; i++)
        SENT(&desk, "yyyyyyyyyy\n");
    NO_KEYS(&desk);
    assert_int_equal(desk.pastes, 0);
    rests(&desk, 3 * USEC_PER_SEC);
    assert_int_equal(desk.pastes, 1);
    assert_true(desk.in.paste_cut);
    SENT(&desk, "j\033[201~");
    KEYS(&desk, 'j');
    assert_int_equal(desk.ends, 1);
}

static void a_terminal_says_that_it_marks_pastes(void **ctx)
{
    struct desk desk;
    (void)ctx;
    open_desk(&desk);
    SENT(&desk, "\033[?2004;0$y\033[?1004;1$y");
    assert_false(desk.in.brackets);
    SENT(&desk, "\033[?2004;1$y");
    assert_true(desk.in.brackets);
    NO_KEYS(&desk);
}

static void mice_count_where_they_were_asked_for(void **ctx)
{
    struct desk desk;
    (void)ctx;
    open_desk(&desk);
    desk.in.mouse = true;
    SENT(&desk, "\033[<0;5;7M\033[<0;5;7m\033[<64;1;1M\033[M !!\033[<0;;M\033[<0;99999;1M");
    KEYS(&desk, UI_KEY_CLICK, UI_KEY_WHEEL_UP, UI_KEY_CLICK);
}

static void the_terminals_own_words_rule(void **ctx)
{
    struct desk desk;
    (void)ctx;
    open_desk(&desk);
    input_learn(&desk.in, "\033[M", UI_KEY_F1);
    input_learn(&desk.in, "\033A", UI_KEY_UP);
    input_learn(&desk.in, "q", UI_KEY_DOWN);
    SENT(&desk, "\033[M\033Aq");
    KEYS(&desk, UI_KEY_F1, UI_KEY_UP, 'q');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_known_whole_and_in_pieces),
        cmocka_unit_test(what_nobody_typed_is_no_key),
        cmocka_unit_test(a_lone_escape_is_a_key_after_its_delay),
        cmocka_unit_test(what_stops_short_is_given_up),
        cmocka_unit_test(characters_come_in_pieces),
        cmocka_unit_test(a_paste_is_text_whatever_it_holds),
        cmocka_unit_test(a_paste_without_end_ends),
        cmocka_unit_test(a_terminal_says_that_it_marks_pastes),
        cmocka_unit_test(mice_count_where_they_were_asked_for),
        cmocka_unit_test(the_terminals_own_words_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
