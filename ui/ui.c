/* SPDX-License-Identifier: MIT */
/* The main loop of the screen: waits for keys, signals, snapshots and the frame timer, lets the room act on
 * them, and shows what came of it. A key is shown at once; a new snapshot when a frame's time has passed, so
 * that frames keep step with the snapshots and nothing is drawn twice. */
#include "ui/ui.h"
#include "core/command.h"
#include "core/config.h"
#include "core/snapshot.h"
#include "ui/print.h"
#include "ui/room.h"
#include "ui/screen.h"
#include "ui/wait.h"
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEYS_A_READ 4100 /* a key a byte, and what an earlier read had left */

struct ui {
    const struct ui_options *options;
    struct room room;
    struct grid grid;
    int width, height; /* of the window */
    usec_t drawn_at;
    bool ended, hung_up;
    int keys[KEYS_A_READ]; /* of one read, not acted upon yet */
    int key_count;
    bool waits; /* for the terminal to take a frame */
};

static bool locale_unicode(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

bool ui_possible(void)
{
    const char *term = getenv("TERM");
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term && screen_possible();
}

/* The locale that the environment asks for, which need not be there. */
static const char *locale_wanted(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return value;
    }
    return "";
}

/* What is not as the environment says: a terminal or a locale that is not known here. */
static void environment_note(struct room *room)
{
    const char *wanted = locale_wanted(), *locale = setlocale(LC_CTYPE, NULL), *term = getenv("TERM");
    bool utf8 = strcasestr(wanted, "utf-8") || strcasestr(wanted, "utf8");
    if (screen_stand_in())
        room_say(room, ROLE_WARN, "TERM=%.40s is not known to terminfo here; shown as for %s",
                 term ? term : "", screen_stand_in());
    else if (utf8 && locale && strcmp(wanted, locale) != 0)
        room_say(room, ROLE_WARN, "the locale %.40s is not installed; shown as in %s", wanted, locale);
}

static enum theme_palette palette_of(const struct config_ui *look, bool mono)
{
    const char *no_color = getenv("NO_COLOR");
    if (mono || (no_color && *no_color) || look->palette == CONFIG_PALETTE_MONO)
        return THEME_MONO;
    if (look->palette == CONFIG_PALETTE_AUTO)
        return theme_guess(getenv("COLORFGBG"));
    return look->palette == CONFIG_PALETTE_LIGHT ? THEME_LIGHT : THEME_DARK;
}

static void keys_act(struct ui *ui)
{
    room_keys(&ui->room, ui->keys, ui->key_count, screen_input()->brackets);
    ui->key_count = 0;
}

static void key_event(struct ui *ui, const struct input_event *event)
{
    int key = event->key;
    if (key == UI_KEY_CLICK) {
        keys_act(ui);
        room_click(&ui->room, &ui->grid, event->x, event->y);
        return;
    }
    if (key == UI_KEY_WHEEL_UP || key == UI_KEY_WHEEL_DOWN)
        key = key == UI_KEY_WHEEL_UP ? UI_KEY_UP : UI_KEY_DOWN;
    if (ui->key_count < KEYS_A_READ)
        ui->keys[ui->key_count++] = key;
}

/* All keys of one read are judged together: see room_keys(). */
static void keys_take(struct ui *ui)
{
    const struct input *input = screen_input();
    struct input_event event;
    usec_t now = ui->options->now();
    if (!screen_read(now))
        return;
    room_read_begins(&ui->room);
    while (screen_event(now, &event)) {
        if (event.kind == INPUT_KEY) {
            key_event(ui, &event);
        } else if (event.kind == INPUT_PASTE_END) {
            ui->key_count = 0;
        } else {
            keys_act(ui);
            room_paste(&ui->room, input->paste, input->paste_size, input->paste_cut);
        }
    }
    keys_act(ui);
}

static void request_serve(struct ui *ui)
{
    enum room_request request = ui->room.request;
    ui->room.request = ROOM_NOTHING;
    if (request == ROOM_SUSPEND)
        screen_suspend();
    else if (request == ROOM_RESUME)
        screen_resume();
    else if (request == ROOM_REPAINT)
        screen_repaint();
    if (request != ROOM_NOTHING)
        ui->room.dirty = ui->room.urgent = true;
}

static void signals_serve(struct ui *ui)
{
    for (int number; (number = wait_signal(ui->options->signal_fd)) > 0;) {
        if (number == SIGTSTP)
            ui->room.request = ROOM_SUSPEND;
        else if (number == SIGCONT)
            ui->room.request = ROOM_RESUME;
    }
}

static void draw(struct ui *ui)
{
    usec_t due = ui->drawn_at + ui->room.look.frame_interval / 10 * 9;
    ui->waits = false;
    if (screen_measure(&ui->width, &ui->height))
        ui->room.dirty = ui->room.urgent = true;
    if (!grid_resize(&ui->grid, ui->width, ui->height))
        return; /* out of memory: the old picture stays */
    if (!ui->room.dirty || (!ui->room.urgent && ui->room.now < due))
        return;
    ui->waits = !screen_ready();
    if (ui->waits)
        return; /* a terminal that takes nothing is not waited for: it gets the newest frame when it does */
    screen_theme(palette_of(&ui->room.look, ui->options->mono));
    screen_mouse(ui->room.look.mouse);
    room_draw(&ui->room, &ui->grid);
    screen_show(&ui->grid, ui->room.glyphs->unicode);
    ui->drawn_at = ui->room.now;
}

/* When there is something to do though nothing comes in: the next frame, for its clocks, or a message's end.
 */
static usec_t ui_deadline(const struct ui *ui)
{
    usec_t interval =
        ui->room.look.frame_interval; /* a little later, when the next snapshot will wake us anyway */
    usec_t drawn_at = ui->waits ? ui->room.now : ui->drawn_at;
    usec_t frame = drawn_at + (ui->options->wake_fd < 0 ? interval : interval / 10 * 11);
    usec_t deadline = room_deadline(&ui->room);
    if (input_due(screen_input()) < deadline)
        deadline = input_due(screen_input());
    return deadline < frame ? deadline : frame;
}

static void ui_wait(struct ui *ui)
{
    struct wait wait = {.input = STDIN_FILENO,
                        .output = ui->waits ? screen_output() : -1,
                        .signal_fd = ui->options->signal_fd,
                        .wake_fd = ui->options->wake_fd,
                        .end_fd = ui->options->end_fd};
    usec_t deadline = ui_deadline(ui), now = ui->options->now();
    wait_for(&wait, deadline > now ? deadline - now : 0);
    if (wait.hung_up)
        ui->hung_up = true;
    if (wait.signaled)
        signals_serve(ui);
    if (wait.ended)
        ui->ended = true;
    if (ui->options->now() >= ui->drawn_at + ui->room.look.frame_interval)
        ui->room.dirty = true;
}

static int ui_loop(struct ui *ui)
{
    for (;;) {
        room_turn(&ui->room, ui->options->now());
        keys_take(ui);
        request_serve(ui);
        draw(ui);
        if (ui->ended || (ui->options->end_fd < 0 && room_over(&ui->room)))
            return 0;
        ui_wait(ui);
        if (ui->hung_up)
            return -EIO;
    }
}

int ui_run(const struct port *port, const struct ui_options *opts, char *err, size_t err_size)
{
    struct ui *ui = calloc(1, sizeof *ui);
    if (!ui || !room_init(&ui->room, port, opts->read_only, locale_unicode())) {
        free(ui);
        snprintf(err, err_size, "cannot open the screen: out of memory");
        return -ENOMEM;
    }
    ui->options = opts;
    int error = screen_open(err, err_size);
    if (!error) {
        ui->room.console = screen_is_console();
        ui->room.now = opts->now();
        environment_note(&ui->room);
        error = ui_loop(ui);
        screen_close();
        if (error)
            snprintf(err, err_size, "the terminal went away");
    }
    grid_fini(&ui->grid);
    room_fini(&ui->room);
    free(ui);
    return error;
}

void ui_abandon(void)
{
    screen_abandon();
}

static bool fixed_read(void *ctx, struct snapshot *out)
{
    const struct snapshot *snapshot = ctx;
    if (out->version && out->seq == snapshot->seq)
        return false;
    memcpy(out, snapshot, sizeof *out);
    return true;
}

static uint64_t fixed_post(void *ctx, const struct command *command)
{
    (void)ctx;
    (void)command;
    return 0;
}

int ui_print_snapshot(const struct snapshot *snapshot, int width, int height, const struct ui_options *opts,
                      FILE *out)
{
    struct snapshot *copy = malloc(sizeof *copy);
    struct port port = {copy, fixed_read, fixed_post};
    struct grid grid = {0};
    struct room room = {0};
    int error = -ENOMEM;
    if (copy && room_init(&room, &port, opts->read_only, locale_unicode()) &&
        grid_resize(&grid, width, height)) {
        memcpy(copy, snapshot, sizeof *copy);
        room_turn(&room, snapshot->at);
        room_draw(&room, &grid);
        enum theme_palette palette = palette_of(&room.look, opts->mono);
        error = print_grid(&grid, room.glyphs->unicode, opts->color, palette, out) ? 0 : -EIO;
    }
    grid_fini(&grid);
    room_fini(&room);
    free(copy);
    return error;
}

void ui_print_keys(FILE *out)
{
    for (size_t i = 0; i < keymap_count; i++)
        fprintf(out, "%s\t%s\n", keymap[i].name, keymap[i].help);
}
