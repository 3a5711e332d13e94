/* SPDX-License-Identifier: MIT */
/* What keys do: the commands that go out, what the screen says, and that nothing at all makes it fall over.
 */
#include "fake_port.h"
#include "ui/print.h"
#include "ui/view.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct desk {
    struct fake_port fake;
    struct room room;
    struct grid grid;
    usec_t now;
    char *shown;
};

static void desk_open(struct desk *desk, const char *fixture, bool read_only)
{
    memset(desk, 0, sizeof *desk);
    fake_port_init(&desk->fake, fixture);
    desk->now = desk->fake.snapshot->at;
    assert_true(room_init(&desk->room, &desk->fake.port, read_only, true));
    assert_true(grid_resize(&desk->grid, 120, 40));
    room_turn(&desk->room, desk->now);
    room_draw(&desk->room, &desk->grid);
}

static void desk_close(struct desk *desk)
{
    free(desk->shown);
    grid_fini(&desk->grid);
    room_fini(&desk->room);
    fake_port_fini(&desk->fake);
}

static void press(struct desk *desk, int key)
{
    room_key(&desk->room, key);
    room_turn(&desk->room, desk->now);
    room_draw(&desk->room, &desk->grid);
}

static void type(struct desk *desk, const char *keys)
{
    for (; *keys; keys++)
        press(desk, *keys == '\n' ? UI_KEY_ENTER : *keys);
}

static void pass(struct desk *desk, usec_t span)
{
    desk->now += span;
    room_turn(&desk->room, desk->now);
    room_draw(&desk->room, &desk->grid);
}

static const char *screen(struct desk *desk)
{
    size_t size = 0;
    free(desk->shown);
    desk->shown = NULL;
    FILE *out = open_memstream(&desk->shown, &size);
    assert_non_null(out);
    assert_true(print_grid(&desk->grid, true, false, THEME_DARK, out));
    fclose(out);
    return desk->shown;
}

#define assert_shown(desk, text)  assert_non_null(strstr(screen(desk), text))
#define assert_hidden(desk, text) assert_null(strstr(screen(desk), text))

static void the_first_snapshot_does_not_wait_for_a_frame(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    room_fini(&desk.room);
    assert_true(room_init(&desk.room, &desk.fake.port, false, true));
    assert_false(desk.room.urgent);
    room_turn(&desk.room, desk.now);
    assert_true(desk.room.urgent);
    room_draw(&desk.room, &desk.grid);
    fake_publish(&desk.fake);
    room_turn(&desk.room, desk.now);
    assert_true(desk.room.dirty);
    assert_false(desk.room.urgent);
    desk_close(&desk);
}

/* As desk_open(), with room for more instances. */
static void desk_open_wide(struct desk *desk)
{
    desk_open(desk, "busy", false);
    desk->fake.snapshot->config.scaling.max_instances = 9;
    fake_publish(&desk->fake);
    room_turn(&desk->room, desk->now);
}

static void the_bounds_are_known_before_it_asks(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    press(&desk, '+');
    assert_shown(&desk, "refused: 5 is the maximum (scaling.max_instances; t changes it)");
    assert_null(desk.room.dialog);
    desk.fake.snapshot->desired = 1;
    fake_publish(&desk.fake);
    pass(&desk, USEC_PER_SEC);
    press(&desk, '-');
    assert_shown(&desk, "refused: 1 is the minimum (scaling.min_instances; t changes it)");
    desk_close(&desk);
}

static void scaling_asks_first(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open_wide(&desk);
    press(&desk, '+');
    assert_shown(&desk, "Scale 5 -> 6? y = yes, n = no");
    press(&desk, UI_KEY_ENTER);
    press(&desk, 'a'); /* swallowed */
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    press(&desk, 'y');
    struct command command = fake_take(&desk.fake);
    assert_int_equal(command.kind, CMD_SCALE);
    assert_int_equal(command.count, 6);
    assert_shown(&desk, "done: as you wish");
    press(&desk, '-');
    press(&desk, 'n');
    assert_hidden(&desk, "Scale 5");
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    desk_close(&desk);
}

static void quick_keys_add_up(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open_wide(&desk);
    for (const char *key = "+y+y"; *key; key++) /* no snapshot comes in between */
        room_key(&desk.room, *key);
    assert_int_equal(fake_take(&desk.fake).count, 7);
    pass(&desk, USEC_PER_SEC); /* answered: the snapshot's count rules again, here still 5 */
    press(&desk, '-');
    assert_shown(&desk, "Scale 5 -> 4?");
    desk_close(&desk);
}

static void the_question_goes_after_5_s(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    press(&desk, '-');
    pass(&desk, 4900 * USEC_PER_MSEC);
    assert_shown(&desk, "Scale 5 -> 4?");
    pass(&desk, 200 * USEC_PER_MSEC);
    assert_hidden(&desk, "Scale 5 -> 4?");
    press(&desk, 'y');
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    desk_close(&desk);
}

static void without_confirmations_it_scales_at_once(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open_wide(&desk);
    desk.fake.snapshot->config.ui.confirm = false;
    fake_publish(&desk.fake);
    pass(&desk, USEC_PER_SEC);
    press(&desk, '+');
    assert_int_equal(fake_take(&desk.fake).count, 6);
    desk_close(&desk);
}

static void refusals_are_shown(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open_wide(&desk);
    desk.fake.refuse = "5 is the maximum";
    type(&desk, "+y");
    assert_shown(&desk, "refused: 5 is the maximum");
    pass(&desk, 10 * USEC_PER_SEC);
    assert_hidden(&desk, "refused");
    desk.fake.full = true;
    type(&desk, "ay");
    assert_shown(&desk, "refused: too many commands");
    desk_close(&desk);
}

static void a_repeated_decision_is_as_new_as_its_last_time(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    struct snapshot *snap = desk.fake.snapshot;
    struct journal_entry *event = &snap->journal[snap->journal_count++];
    *event = (struct journal_entry){.seq = event[-1].seq + 1, .at = snap->at, .kind = JOURNAL_EVENT};
    snprintf(event->text, sizeof event->text, "something happened");
    event[-1].decision.last_at = snap->at + USEC_PER_SEC;
    fake_publish(&desk.fake);
    pass(&desk, USEC_PER_SEC);
    const char *shown = screen(&desk), *hold = strstr(shown, "14:13:21  HOLD");
    assert_non_null(hold);
    assert_true(strstr(shown, "something happened") > hold);
    type(&desk, "\tj\n");
    assert_shown(&desk, "at 14:13:20");
    desk_close(&desk);
}

static void the_head_says_which_instances_are_shown(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    assert_hidden(&desk, "1-5/5"); /* all are */
    struct snapshot *snap = desk.fake.snapshot;
    for (; snap->instance_count < 40; snap->instance_count++) {
        snap->instances[snap->instance_count] = snap->instances[0];
        snap->instances[snap->instance_count].id = 100 + snap->instance_count;
    }
    fake_publish(&desk.fake);
    pass(&desk, USEC_PER_SEC);
    assert_shown(&desk, " 1-12/40");
    press(&desk, 'G');
    assert_shown(&desk, " 29-40/40");
    desk_close(&desk);
}

static void why_nothing_can_be_saved_is_said_in_full(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    desk.fake.refuse = "not saved, what it would become is no good: autoscaler.ini:19: a section is '[name]' "
                       "and nothing else on its line";
    press(&desk, 'w');
    pass(&desk, 10 * USEC_PER_SEC); /* the message at the bottom has gone */
    assert_shown(&desk, "on its line");
    desk_close(&desk);
}

static void why_it_was_not_saved_stays_until_it_is_closed(void **ctx)
{
    static const char keys[] = "wR";
    struct desk desk;
    (void)ctx;
    for (const char *key = keys; *key; key++) {
        desk_open(&desk, "busy", false);
        press(&desk, *key);
        uint64_t shown = desk.fake.next_id;
        assert_shown(&desk, "+second line");
        desk.fake.refuse = "not saved: Permission denied; the file is as it was: /etc/ascale/autoscaler.ini";
        press(&desk, 'y');
        struct command command = fake_take(&desk.fake);
        assert_int_equal(strtoull(command.text, NULL, 10), shown);
        pass(&desk, 10 * USEC_PER_SEC); /* the message at the bottom has gone */
        assert_shown(&desk, "not saved: Permission denied");
        press(&desk, 'y'); /* there is no question any more */
        assert_non_null(desk.room.dialog);
        assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
        press(&desk, UI_KEY_ESC);
        assert_null(desk.room.dialog);
        desk_close(&desk);
    }
}

static void the_mode_asks_first(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    type(&desk, "ax\n");
    assert_shown(&desk, "Hold the count at 5? y = yes, n = no");
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    type(&desk, "nay");
    assert_int_equal(fake_take(&desk.fake).kind, CMD_MANUAL);
    assert_shown(&desk, "[MANUAL]");
    press(&desk, 'a');
    assert_shown(&desk, "Let the strategy decide? y = yes, n = no");
    press(&desk, 'y');
    assert_int_equal(fake_take(&desk.fake).kind, CMD_AUTO);
    assert_shown(&desk, "[AUTO]");
    desk_close(&desk);
}

/* The letters of one read. */
static void burst(struct desk *desk, const char *text, bool brackets)
{
    int keys[512], count = 0;
    for (; *text && count < 512; text++)
        keys[count++] = *text == '\n' ? UI_KEY_ENTER : *text;
    room_read_begins(&desk->room);
    room_keys(&desk->room, keys, count, brackets);
    room_turn(&desk->room, desk->now);
    room_draw(&desk->room, &desk->grid);
}

static void a_question_takes_no_key_that_came_with_it(void **ctx)
{
    static const char *const asked[] = {"+y", "-y", "ay",  "qs", "ql",  "q\003", "\003\003",
                                        "wy", "Ry", "l\n", "xk", "xky", "s\n"};
    struct desk desk;
    (void)ctx;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        for (int brackets = 0; brackets < 2; brackets++) {
            desk_open_wide(&desk);
            burst(&desk, asked[i], brackets);
            assert_false(desk.room.quit_wanted || desk.room.leaving);
            assert_non_null(desk.room.dialog);
            enum command_kind kind = fake_take(&desk.fake).kind;
            assert_true(kind == CMD_NONE || kind == CMD_SAVE_PREVIEW || kind == CMD_RELOAD_PREVIEW ||
                        kind == CMD_PREVIEW);
            assert_shown(&desk, "ignored the keys that came together");
            desk_close(&desk);
        }
    desk_open_wide(&desk);
    press(&desk, 'x');
    burst(&desk, "ky", true); /* nor the second question */
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    press(&desk, 'k');
    press(&desk, 'y');
    assert_int_equal(fake_take(&desk.fake).kind, CMD_INSTANCE_KILL);
    desk_close(&desk);
}

static void many_letters_at_once_do_nothing(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open_wide(&desk);
    burst(&desk, "zlog", false);
    assert_null(desk.room.dialog);
    assert_false(desk.room.zoomed);
    assert_shown(&desk, "ignored: too many different keys at once");
    burst(&desk, "zzzzz", false); /* repeats */
    assert_true(desk.room.zoomed);
    press(&desk, 'q');
    burst(&desk, "ls\n", true);
    assert_false(desk.room.quit_wanted || desk.room.leaving);
    desk_close(&desk);
}

static void a_paste_goes_into_a_field_or_nowhere(void **ctx)
{
    static const char text[] = "\tq\x03 i1\n\n";
    struct desk desk;
    (void)ctx;
    desk_open_wide(&desk);
    room_paste(&desk.room, text, sizeof text - 1, false);
    pass(&desk, 0);
    assert_shown(&desk, "ignored a paste: no field is open");
    press(&desk, 'q');
    room_paste(&desk.room, "s", 1, false);
    assert_false(desk.room.quit_wanted);
    press(&desk, UI_KEY_ESC);
    press(&desk, '/');
    room_paste(&desk.room, text, sizeof text - 1, false);
    assert_string_equal(desk.room.filter[desk.room.focus].text, "q i1");
    press(&desk, UI_KEY_ESC);
    press(&desk, 't');
    room_read_begins(&desk.room);
    room_paste(&desk.room, "61%\n", 4, false);
    assert_string_equal(desk.room.state.form.form.rows[0].line.text, "61%");
    assert_non_null(desk.room.dialog);
    burst(&desk,
          "\x15"
          "12.34%\nq",
          false); /* lines without brackets */
    assert_non_null(desk.room.dialog);
    desk_close(&desk);
}

static void suspending_and_repainting_work_everywhere(void **ctx)
{
    static const int opens[] = {'t', 'l', 'q', '?', 'a', 'o', '/'};
    struct desk desk;
    (void)ctx;
    for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
        desk_open_wide(&desk);
        press(&desk, opens[i]);
        room_key(&desk.room, UI_CTRL('z'));
        assert_int_equal(desk.room.request, ROOM_SUSPEND);
        room_key(&desk.room, UI_CTRL('l'));
        assert_int_equal(desk.room.request, ROOM_REPAINT);
        assert_true(desk.room.dialog || desk.room.filtering);
        desk_close(&desk);
    }
}

static void glyphs_that_were_asked_for_hold_anywhere(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    desk.room.unicode = false;
    pass(&desk, 0);
    assert_int_equal(desk.room.glyphs->style, GLYPH_ASCII);
    desk.room.look.glyphs = CONFIG_GLYPHS_BRAILLE;
    pass(&desk, 0);
    assert_int_equal(desk.room.glyphs->style, GLYPH_BRAILLE);
    desk_close(&desk);
}

static void read_only_changes_nothing(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", true);
    desk.room.selected = 1;
    for (size_t i = 0; i < keymap_count; i++) {
        if (!(keymap[i].needs & KEY_WRITES))
            continue;
        press(&desk, keymap[i].keys[0]);
        assert_shown(&desk, "refused: this screen is read-only");
        assert_null(desk.room.dialog);
        assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    }
    type(&desk, "o"); /* its own look is its own */
    press(&desk, UI_KEY_RIGHT);
    press(&desk, UI_KEY_ENTER);
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    assert_int_equal(desk.room.look.palette, CONFIG_PALETTE_DARK);
    desk_close(&desk);
}

static void quitting_asks_while_something_runs(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    press(&desk, 'q');
    assert_shown(&desk, "5 instances and a load are still running.");
    press(&desk, UI_KEY_ESC);
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    desk.fake.refuse = "nothing could be taken over";
    type(&desk, "ql");
    assert_int_equal(fake_take(&desk.fake).kind, CMD_LEAVE);
    assert_shown(&desk, "refused: nothing could be taken over");
    desk.fake.refuse = NULL;
    type(&desk, "qs");
    assert_int_equal(fake_take(&desk.fake).kind, CMD_QUIT);
    assert_shown(&desk, "STOPPING");
    assert_false(room_over(&desk.room));
    desk.fake.snapshot->instance_count = 0;
    desk.fake.snapshot->load.running = false;
    fake_publish(&desk.fake);
    pass(&desk, USEC_PER_SEC);
    assert_true(room_over(&desk.room));
    desk_close(&desk);
}

static void ctrl_c_twice_stops(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    press(&desk, 't');
    press(&desk, UI_CTRL('c'));
    assert_shown(&desk, "still running");
    fake_take(&desk.fake);
    press(&desk, UI_CTRL('c'));
    assert_int_equal(fake_take(&desk.fake).kind, CMD_QUIT);
    desk_close(&desk);
}

static void a_quit_that_found_the_queue_full_is_posted_later(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "empty", false);
    desk.fake.full = true;
    press(&desk, 'q');
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    desk.fake.full = false;
    pass(&desk, USEC_PER_SEC);
    assert_int_equal(fake_take(&desk.fake).kind, CMD_QUIT);
    desk_close(&desk);
}

static void escape_on_top_does_nothing(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    char *before = strdup(screen(&desk));
    press(&desk, UI_KEY_ESC);
    assert_string_equal(screen(&desk), before);
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    free(before);
    desk_close(&desk);
}

static void load_starts_with_enter_and_stops(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "empty", false);
    type(&desk, "l\n");
    assert_int_equal(fake_take(&desk.fake).kind, CMD_LOAD_START);
    type(&desk, "l\n");
    assert_int_equal(fake_take(&desk.fake).kind, CMD_LOAD_STOP);
    press(&desk, 'l');
    for (int i = 0; i < 3; i++)
        press(&desk, UI_KEY_DOWN); /* the rate */
    type(&desk, "500/s\n");
    struct command command = fake_take(&desk.fake);
    assert_int_equal(command.kind, CMD_LOAD_START);
    assert_string_equal(command.text, "load.rate=500/s");
    desk_close(&desk);
}

static void arrows_change_a_running_load_at_once(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    press(&desk, 'l');
    press(&desk, UI_KEY_DOWN); /* from the button around to the URL */
    press(&desk, UI_KEY_DOWN);
    press(&desk, UI_KEY_RIGHT);
    struct command command = fake_take(&desk.fake);
    assert_int_equal(command.kind, CMD_LOAD_SET);
    assert_string_equal(command.text, "load.threads=22");
    desk_close(&desk);
}

/* And not what the settings would start another one with. */
static void a_running_load_is_shown_as_it_runs(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    desk.fake.snapshot->load.connections = 77;
    desk.fake.snapshot->load.shape = CONFIG_SHAPE_SINE;
    desk.fake.snapshot->load.duration = 25 * USEC_PER_SEC;
    fake_publish(&desk.fake);
    pass(&desk, USEC_PER_SEC);
    press(&desk, 'l');
    assert_shown(&desk, "connections           77     ");
    assert_shown(&desk, "shape                 sine   ");
    assert_shown(&desk, "duration              25s    ");
    desk_close(&desk);
}

static void thresholds_are_checked_previewed_and_set(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    press(&desk, 't');
    assert_int_equal(fake_take(&desk.fake).kind, CMD_PREVIEW);
    assert_shown(&desk, "first line for");
    type(&desk, "20%"); /* below the down threshold of 30% */
    assert_shown(&desk, "scale_down_threshold");
    assert_shown(&desk, "scale_up_threshold (20%)");
    press(&desk, UI_KEY_ENTER);
    assert_non_null(desk.room.dialog);
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    press(&desk, UI_CTRL('u'));
    type(&desk, "80%");
    pass(&desk, 200 * USEC_PER_MSEC);
    struct command command = fake_take(&desk.fake);
    assert_int_equal(command.kind, CMD_PREVIEW);
    assert_string_equal(command.text, "scaling.scale_up_threshold=80%");
    press(&desk, UI_KEY_ENTER);
    command = fake_take(&desk.fake);
    assert_int_equal(command.kind, CMD_SET);
    assert_string_equal(command.text, "scaling.scale_up_threshold=80%");
    assert_null(desk.room.dialog);
    desk_close(&desk);
}

static void saving_shows_the_difference_first(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    press(&desk, 'w');
    assert_int_equal(fake_take(&desk.fake).kind, CMD_SAVE_PREVIEW);
    assert_shown(&desk, "+second line");
    press(&desk, UI_KEY_ENTER);
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    press(&desk, 'y');
    assert_int_equal(fake_take(&desk.fake).kind, CMD_SAVE);
    desk_close(&desk);
}

static void reloading_shows_what_changes_first(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    press(&desk, 'R');
    assert_int_equal(fake_take(&desk.fake).kind, CMD_RELOAD_PREVIEW);
    assert_shown(&desk, "Read again autoscaler.ini");
    assert_shown(&desk, "+second line");
    assert_shown(&desk, "Reload? y = yes, n = no");
    press(&desk, UI_KEY_ENTER);
    press(&desk, 'n');
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    assert_null(desk.room.dialog);
    type(&desk, "Ry");
    assert_int_equal(fake_take(&desk.fake).kind, CMD_RELOAD);
    desk.fake.refuse = "autoscaler.ini:3: there is no scaling.mx_step";
    press(&desk, 'R');
    assert_shown(&desk, "there is no scaling.mx_step");
    assert_hidden(&desk, "Reload? y = yes");
    press(&desk, 'y'); /* there is no question to answer */
    assert_non_null(desk.room.dialog);
    assert_int_equal(fake_take(&desk.fake).kind, CMD_RELOAD_PREVIEW);
    desk_close(&desk);
}

static void a_long_difference_scrolls(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    press(&desk, 'w');
    struct save_state *save = &desk.room.state.save;
    for (save->line_count = 0; save->line_count < 60; save->line_count++)
        snprintf(save->lines[save->line_count], sizeof save->lines[0], "+line %d.", save->line_count);
    pass(&desk, 0);
    assert_shown(&desk, "Save? y = yes, n = no   j, k: scroll");
    assert_hidden(&desk, "+line 59.");
    press(&desk, UI_KEY_END);
    assert_shown(&desk, "+line 59.");
    desk_close(&desk);
}

static void all_are_rolled_when_asked_twice(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    type(&desk, "xa");
    assert_shown(&desk, "Really roll all? y = yes, n = no");
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    press(&desk, 'y');
    assert_int_equal(fake_take(&desk.fake).kind, CMD_ROLL);
    assert_shown(&desk, "ROLLING  5 instances left");
    desk_close(&desk);
}

static void a_message_is_about_the_last_key(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", true);
    press(&desk, '+');
    assert_shown(&desk, "refused: this screen is read-only (+ =)");
    press(&desk, 'z');
    assert_hidden(&desk, "refused");
    desk_close(&desk);
}

static void a_young_history_fills_its_chart(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    struct snapshot *snap = desk.fake.snapshot;
    assert_shown(&desk, "-5m");
    memmove(snap->history, snap->history + snap->history_count - 30, 30 * sizeof *snap->history);
    snap->history_count = 30;
    fake_publish(&desk.fake);
    pass(&desk, USEC_PER_SEC);
    assert_shown(&desk, "-1m");
    press(&desk, ']'); /* chosen by hand it stays */
    assert_shown(&desk, "-5m");
    press(&desk, ']');
    assert_shown(&desk, "-15m");
    desk_close(&desk);
}

static void an_instance_has_a_history(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    type(&desk, "j\n");
    const char *text = screen(&desk), *history = strstr(text, "History"), *log = strstr(text, " Log ");
    assert_true(history && log && history < log);
    const char *newer = strstr(history, "ready in 0.4s on port 5001"),
               *older = strstr(history, "killed by SIGKILL; replaced");
    assert_true(newer && older && newer < older && older < log);
    desk_close(&desk);
}

static void an_instance_says_what_comes_when_its_time_is_over(void **ctx)
{
    static const struct {
        enum instance_state state;
        const char *says; /* NULL: nothing of it */
    } rows[] = {{INSTANCE_FAILED, ", next try in 20s"},
                {INSTANCE_BACKOFF, ", next try in 20s"},
                {INSTANCE_STARTING, ", times out in 20s"},
                {INSTANCE_UNREADY, NULL}};
    (void)ctx;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct desk desk;
        desk_open(&desk, "busy", false);
        struct instance_view *instance = &desk.fake.snapshot->instances[0];
        instance->state = rows[i].state;
        instance->deadline = desk.fake.snapshot->at + 20 * USEC_PER_SEC;
        fake_publish(&desk.fake);
        type(&desk, "\n");
        if (rows[i].says)
            assert_shown(&desk, rows[i].says);
        else
            assert_hidden(&desk, " in 20s");
        desk_close(&desk);
    }
}

static void no_key_is_mute(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    press(&desk, 'K');
    assert_shown(&desk, "nothing is bound to K; ? shows the keys");
    press(&desk, ':');
    assert_shown(&desk, "nothing is bound to :; ? shows the keys");
    press(&desk, UI_KEY_LEFT);
    assert_shown(&desk, "Left does nothing in this panel");
    assert_int_equal(fake_take(&desk.fake).kind, CMD_NONE);
    desk_close(&desk);
}

static void an_instance_is_hit_by_its_id(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    type(&desk, "jjx");
    assert_shown(&desk, "i3  READY  pid 4019");
    memmove(desk.fake.snapshot->instances, desk.fake.snapshot->instances + 1,
            4 * sizeof desk.fake.snapshot->instances[0]);
    desk.fake.snapshot->instance_count = 4;
    fake_publish(&desk.fake);
    pass(&desk, USEC_PER_SEC);
    type(&desk, "ry");
    struct command command = fake_take(&desk.fake);
    assert_int_equal(command.kind, CMD_INSTANCE_RESTART);
    assert_int_equal(command.instance, 3);
    desk_close(&desk);
}

static void a_detail_is_asked_for_and_given_back(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    press(&desk, UI_KEY_ENTER);
    struct command command = fake_take(&desk.fake);
    assert_int_equal(command.kind, CMD_DETAIL_INSTANCE);
    assert_int_equal(command.instance, 1);
    assert_shown(&desk, "+second line");
    press(&desk, UI_KEY_ESC);
    assert_int_equal(fake_take(&desk.fake).kind, CMD_DETAIL_NONE);
    desk_close(&desk);
}

static void decisions_are_explained(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    press(&desk, UI_KEY_TAB);
    for (int i = 0; i < 9; i++)
        press(&desk, 'j');
    press(&desk, UI_KEY_ENTER);
    assert_shown(&desk, "UP  3 -> 4  more instances");
    assert_shown(&desk, "because  cpu");
    assert_shown(&desk, "and      ");
    press(&desk, UI_KEY_ESC);
    assert_hidden(&desk, "because");
    desk_close(&desk);
}

static void a_filter_leaves_what_matches(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    type(&desk, "/cart\n");
    assert_shown(&desk, "i4   5003");
    assert_hidden(&desk, "i1   5000");
    assert_int_equal(desk.room.selected, 4);
    press(&desk, UI_KEY_ESC);
    assert_shown(&desk, "i1   5000");
    type(&desk, "/zzz");
    assert_shown(&desk, "no instance matches");
    press(&desk, UI_CTRL('c'));
    assert_shown(&desk, "i1   5000");
    assert_null(desk.room.dialog);
    desk_close(&desk);
}

static void sorting_follows_the_column(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    type(&desk, ">>>>r"); /* CPU%, the largest first */
    const char *text = screen(&desk);
    assert_non_null(strstr(text, "CPU%v"));
    const char *fourth = strstr(text, "i4   5003"), *third = strstr(text, "i3   5002"),
               *fifth = strstr(text, "i5   5004");
    assert_true(fourth && third && fifth && fourth < third && third < fifth);
    desk_close(&desk);
}

static void freezing_keeps_the_view(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    press(&desk, ' ');
    desk.fake.snapshot->cpu_pct = 99;
    desk.fake.snapshot->ready = 2;
    fake_publish(&desk.fake);
    pass(&desk, 3 * USEC_PER_SEC);
    assert_shown(&desk, "63 now");
    assert_shown(&desk, "the scaler still runs, 2 ready now");
    press(&desk, ' ');
    assert_shown(&desk, "99 now");
    desk_close(&desk);
}

static void an_alert_stays_until_seen(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "remote", false);
    assert_shown(&desk, "! the target has not followed the order");
    pass(&desk, 2 * USEC_PER_SEC);
    press(&desk, '!');
    assert_int_equal(fake_take(&desk.fake).kind, CMD_ALERT_ACK);
    assert_hidden(&desk, "! the target has not");
    press(&desk, '!');
    assert_shown(&desk, "refused: there is no alert");
    desk_close(&desk);
}

static void a_silent_scaler_is_told(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "busy", false);
    pass(&desk, 7 * USEC_PER_SEC);
    assert_hidden(&desk, "has said nothing");
    pass(&desk, 3 * USEC_PER_SEC);
    assert_shown(&desk, "the scaler has said nothing for");
    desk_close(&desk);
}

static void a_counted_target_has_no_instances(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "remote", false);
    assert_shown(&desk, "ANSWERING");
    assert_shown(&desk, "HALF OPEN");
    press(&desk, 'x');
    assert_shown(&desk, "refused: this target takes a count");
    press(&desk, UI_KEY_ENTER);
    assert_shown(&desk, "refused: the instances of this target are not ours");
    press(&desk, 'l');
    assert_shown(&desk, "refused: nothing of ours serves this target; set load.url");
    snprintf(desk.fake.snapshot->config.load.url, sizeof desk.fake.snapshot->config.load.url,
             "http://127.0.0.1:8124/");
    desk.fake.snapshot->seq++;
    pass(&desk, 10 * USEC_PER_SEC);
    press(&desk, 'l');
    assert_shown(&desk, "No load runs");
    press(&desk, UI_KEY_ESC);
    assert_shown(&desk, "10 ready (1..20)");
    desk.fake.snapshot->remote.replicas = -1; /* it never answered */
    desk.fake.snapshot->seq++;
    pass(&desk, USEC_PER_SEC);
    assert_shown(&desk, "? ready (1..20)");
    desk_close(&desk);
}

static void nothing_a_terminal_obeys_gets_in(void **ctx)
{
    struct desk desk;
    (void)ctx;
    desk_open(&desk, "hostile", false);
    const char *keys[] = {"", "\n", "\t\n", "x"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        desk.room.dialog = NULL;
        type(&desk, keys[i]);
        for (int cell = 0; cell < desk.grid.width * desk.grid.height; cell++) {
            uint32_t code = desk.grid.cells[cell].code;
            bool bidi =
                (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0x200B;
            assert_false((code < ' ' && code != 0) || (code >= 0x7F && code < 0xA0) || bidi);
        }
    }
    desk_close(&desk);
}

static void every_size_can_be_drawn(void **ctx)
{
    struct desk desk;
    static const char keys[] = {0, 't', '?', 'q', 'z', 'w'};
    (void)ctx;
    desk_open(&desk, "busy", false);
    for (int width = 1; width <= 400; width += width < 90 ? 1 : 31)
        for (int height = 1; height <= 120; height += height < 45 ? 1 : 25) {
            assert_true(grid_resize(&desk.grid, width, height));
            for (size_t i = 0; i < sizeof keys; i++) {
                desk.room.dialog = NULL;
                if (keys[i])
                    room_key(&desk.room, keys[i]);
                room_draw(&desk.room, &desk.grid);
            }
        }
    desk_close(&desk);
}

static const int odd_keys[] = {
    UI_KEY_UP,  UI_KEY_DOWN,   UI_KEY_LEFT,     UI_KEY_RIGHT, UI_KEY_PAGE_UP, UI_KEY_PAGE_DOWN, UI_KEY_HOME,
    UI_KEY_END, UI_KEY_DELETE, UI_KEY_BACK_TAB, UI_KEY_ENTER, UI_KEY_ESC,     UI_KEY_BACKSPACE, UI_KEY_TAB,
    UI_KEY_F1,  0x4F60,        0x1F600,         0xE9,         UI_CTRL('l'),   UI_CTRL('c')};

static void random_keys_and_sizes_do_no_harm(void **ctx)
{
    static const char *const fixtures[] = {"busy", "remote", "hostile", "empty"};
    (void)ctx;
    srand(4711);
    for (size_t f = 0; f < sizeof fixtures / sizeof *fixtures; f++) {
        struct desk desk;
        desk_open(&desk, fixtures[f], false);
        for (int i = 0; i < 4000; i++) {
            int odd = rand() % 3 == 0;
            int key = odd ? odd_keys[rand() % (int)(sizeof odd_keys / sizeof *odd_keys)] : 1 + rand() % 126;
            if (rand() % 40 == 0)
                assert_true(grid_resize(&desk.grid, 1 + rand() % 200, 1 + rand() % 70));
            if (rand() % 25 == 0) {
                desk.fake.snapshot->instance_count = rand() % (desk.fake.snapshot->instance_count + 1);
                desk.fake.snapshot->stopping = rand() % 8 == 0;
                fake_publish(&desk.fake);
            }
            if (rand() % 20 == 0)
                room_click(&desk.room, &desk.grid, rand() % 200, rand() % 70);
            desk.now += rand() % (int)(300 * USEC_PER_MSEC);
            press(&desk, key);
            desk.room.quit_wanted = desk.room.quitting = false;
        }
        desk_close(&desk);
    }
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_snapshot_does_not_wait_for_a_frame),
        cmocka_unit_test(the_bounds_are_known_before_it_asks),
        cmocka_unit_test(scaling_asks_first),
        cmocka_unit_test(quick_keys_add_up),
        cmocka_unit_test(the_question_goes_after_5_s),
        cmocka_unit_test(without_confirmations_it_scales_at_once),
        cmocka_unit_test(refusals_are_shown),
        cmocka_unit_test(a_repeated_decision_is_as_new_as_its_last_time),
        cmocka_unit_test(the_head_says_which_instances_are_shown),
        cmocka_unit_test(why_nothing_can_be_saved_is_said_in_full),
        cmocka_unit_test(why_it_was_not_saved_stays_until_it_is_closed),
        cmocka_unit_test(the_mode_asks_first),
        cmocka_unit_test(a_question_takes_no_key_that_came_with_it),
        cmocka_unit_test(many_letters_at_once_do_nothing),
        cmocka_unit_test(a_paste_goes_into_a_field_or_nowhere),
        cmocka_unit_test(suspending_and_repainting_work_everywhere),
        cmocka_unit_test(glyphs_that_were_asked_for_hold_anywhere),
        cmocka_unit_test(read_only_changes_nothing),
        cmocka_unit_test(quitting_asks_while_something_runs),
        cmocka_unit_test(ctrl_c_twice_stops),
        cmocka_unit_test(a_quit_that_found_the_queue_full_is_posted_later),
        cmocka_unit_test(escape_on_top_does_nothing),
        cmocka_unit_test(load_starts_with_enter_and_stops),
        cmocka_unit_test(arrows_change_a_running_load_at_once),
        cmocka_unit_test(a_running_load_is_shown_as_it_runs),
        cmocka_unit_test(thresholds_are_checked_previewed_and_set),
        cmocka_unit_test(saving_shows_the_difference_first),
        cmocka_unit_test(reloading_shows_what_changes_first),
        cmocka_unit_test(a_long_difference_scrolls),
        cmocka_unit_test(all_are_rolled_when_asked_twice),
        cmocka_unit_test(a_message_is_about_the_last_key),
        cmocka_unit_test(a_young_history_fills_its_chart),
        cmocka_unit_test(an_instance_has_a_history),
        cmocka_unit_test(an_instance_says_what_comes_when_its_time_is_over),
        cmocka_unit_test(no_key_is_mute),
        cmocka_unit_test(an_instance_is_hit_by_its_id),
        cmocka_unit_test(a_detail_is_asked_for_and_given_back),
        cmocka_unit_test(decisions_are_explained),
        cmocka_unit_test(a_filter_leaves_what_matches),
        cmocka_unit_test(sorting_follows_the_column),
        cmocka_unit_test(freezing_keeps_the_view),
        cmocka_unit_test(an_alert_stays_until_seen),
        cmocka_unit_test(a_silent_scaler_is_told),
        cmocka_unit_test(a_counted_target_has_no_instances),
        cmocka_unit_test(nothing_a_terminal_obeys_gets_in),
        cmocka_unit_test(every_size_can_be_drawn),
        cmocka_unit_test(random_keys_and_sizes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
