/* SPDX-License-Identifier: MIT */
/* Owns curses, the terminal's settings and the handlers of fatal signals. Curses opens the terminal,
 * describes it and reads its keys; frames are made by ui/paint and go out in one write each. The handlers
 * that curses installs are taken out again: signals come to the main loop by a descriptor. */
#include "ui/screen.h"
#include "ui/key.h"
#include "ui/paint.h"
#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#define ESCAPE_WAIT_MS     100 /* where ESCDELAY says nothing: more than a slow line tears an arrow apart */
#define ESCAPE_WAIT_MS_MAX 10000
#define READ_MAX           4096 /* all that a terminal keeps at once */

#define STAND_IN           "xterm-256color" /* what new terminals obey, too */

#define MOUSE_ON           "\033[?1006;1000h"
#define MOUSE_OFF          "\033[?1006;1000l"
#define PASTE_ON           "\033[?2004h"
#define PASTE_OFF          "\033[?2004l"
#define PASTE_ASK          "\033[?2004$p" /* DECRQM: do you mark pastes? */

static struct {
    SCREEN *screen;
    bool open, fresh; /* fresh: draw everything */
    bool mouse, themed;
    enum theme_palette palette;
    struct paint_terminal terminal;
    struct paint_buffer buffer;
    size_t sent; /* of the buffer */
    int output;  /* a description of our own, non-blocking: that of 0, 1, 2 is the shell's, too */
    struct grid shown;
    struct termios saved;
    const char *stand_in; /* for a TERM that terminfo does not know; NULL = it does */
    struct input input;
    char bytes[READ_MAX]; /* of the present read */
    size_t came, taken;
    char reset[256]; /* what makes the terminal sane again */
    size_t reset_size;
} state;

/* All that kill by default and are not taken otherwise: with handlers, as children would inherit SIG_IGN. */
static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGABRT,   SIGFPE,  SIGILL,  SIGQUIT,
                                    SIGTRAP, SIGSYS, SIGUSR2,   SIGALRM, SIGXCPU, SIGVTALRM,
                                    SIGPROF, SIGIO,  SIGSTKFLT, SIGPWR};
static const int curses_signals[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};

#define COUNT(array) (sizeof array / sizeof *(array))

void screen_abandon(void)
{
    if (!state.open)
        return;
    ssize_t written = write(state.output, state.reset, state.reset_size);
    (void)written;
    tcsetattr(STDIN_FILENO, TCSANOW, &state.saved);
}

/* Only what may be called in a signal handler; the handler is gone by then, so the signal kills. */
static void on_fatal(int signal_number)
{
    screen_abandon();
    raise(signal_number);
}

static void fatal_set(void (*handler)(int))
{
    static char stack[1 << 15]; /* of its own: the other one may be what overflowed */
    struct sigaction action = {.sa_handler = handler,
                               .sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK)};
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    for (size_t i = 0; i < COUNT(fatal_signals); i++)
        sigaction(fatal_signals[i], &action, NULL);
}

static void reset_add(const char *text)
{
    size_t size = text && text != (char *)-1 ? strlen(text) : 0;
    if (state.reset_size + size > sizeof state.reset)
        return;
    memcpy(state.reset + state.reset_size, text ? text : "", size);
    state.reset_size += size;
}

static void reset_prepare(void)
{
    state.reset_size = 0;
    reset_add(PASTE_OFF MOUSE_OFF);
    reset_add(tigetstr("sgr0"));
    reset_add(tigetstr("cnorm"));
    reset_add(tigetstr("rmkx"));
    reset_add(tigetstr("rmcup"));
}

static bool curses_start(void)
{
    struct sigaction before[COUNT(curses_signals)];
    for (size_t i = 0; i < COUNT(curses_signals); i++)
        sigaction(curses_signals[i], NULL, &before[i]);
    unsetenv("LINES");
    unsetenv("COLUMNS");
    state.screen = newterm(state.stand_in, stdout, stdin);
    for (size_t i = 0; i < COUNT(curses_signals); i++)
        sigaction(curses_signals[i], &before[i], NULL);
    return state.screen != NULL;
}

static usec_t escape_delay(void)
{
    const char *said = getenv("ESCDELAY");
    long ms = said ? strtol(said, NULL, 10) : 0;
    return (ms > 0 && ms <= ESCAPE_WAIT_MS_MAX ? ms : ESCAPE_WAIT_MS) * USEC_PER_MSEC;
}

/* The terminal's own words for the keys: those of xterm and its kin are known anyway. */
static void keys_learn(void)
{
    static const struct {
        const char *name;
        int key;
    } keys[] = {{"kcuu1", UI_KEY_UP},      {"kcud1", UI_KEY_DOWN},  {"kcub1", UI_KEY_LEFT},
                {"kcuf1", UI_KEY_RIGHT},   {"kpp", UI_KEY_PAGE_UP}, {"knp", UI_KEY_PAGE_DOWN},
                {"khome", UI_KEY_HOME},    {"kend", UI_KEY_END},    {"kdch1", UI_KEY_DELETE},
                {"kcbt", UI_KEY_BACK_TAB}, {"kent", UI_KEY_ENTER},  {"kbs", UI_KEY_BACKSPACE},
                {"kf1", UI_KEY_F1},        {"kf2", UI_KEY_F2},      {"kf9", UI_KEY_F9},
                {"kf10", UI_KEY_F10}};
    input_init(&state.input, escape_delay());
    for (size_t i = 0; i < COUNT(keys); i++) {
        const char *sequence = tigetstr(keys[i].name);
        if (sequence && sequence != (char *)-1)
            input_learn(&state.input, sequence, keys[i].key);
    }
}

static void curses_settings(void)
{
    raw();
    noecho();
    nonl();
    typeahead(-1);
    keypad(stdscr, TRUE);
    curs_set(0);
    refresh();
}

/* A capability as it goes to the terminal: without its padding, and "" when there is none. */
static char *told;
static size_t told_size;

static int tell(int byte)
{
    if (told_size + 1 < PAINT_TEXT_MAX)
        told[told_size++] = (char)byte;
    return byte;
}

static const char *capability_set(char out[PAINT_TEXT_MAX], const char *capability)
{
    told = out;
    told_size = 0;
    if (capability)
        tputs(capability, 1, tell);
    out[told_size] = '\0';
    return out;
}

static const char *move_text(int x, int y)
{
    static char text[PAINT_TEXT_MAX];
    return capability_set(text, tparm(cursor_address, (long)y, (long)x, 0L, 0L, 0L, 0L, 0L, 0L, 0L));
}

static const char *move_column_text(int x)
{
    static char text[PAINT_TEXT_MAX];
    return capability_set(text, tparm(column_address, (long)x, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L));
}

static void terminal_describe(void)
{
    struct paint_terminal *terminal = &state.terminal;
    const char *const attrs[PAINT_ATTRS] = {enter_bold_mode, enter_dim_mode, enter_reverse_mode,
                                            enter_underline_mode};
    for (int i = 0; i < PAINT_ATTRS; i++)
        capability_set(terminal->attrs[i], attrs[i]);
    capability_set(terminal->reset, exit_attribute_mode);
    capability_set(terminal->clear, clear_screen);
    capability_set(terminal->clear_line, clr_eol);
    terminal->last_cell = !auto_right_margin || eat_newline_glitch;
    terminal->move = move_text;
    terminal->move_column = column_address ? move_column_text : NULL;
}

static void write_all(const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, data, size);
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd ready = {STDOUT_FILENO, POLLOUT, 0};
            poll(&ready, 1, 1000);
        } else if (errno != EINTR) {
            return; /* the terminal is gone; the main loop hears of it by its hang-up */
        }
    }
}

static void tell_terminal(const char *text)
{
    write_all(text, strlen(text));
}

/* found: as setupterm() has it, 0 = terminfo does not know the name. */
static bool can_move(const char *term, int *found)
{
    if (setupterm(term, STDOUT_FILENO, found) != OK)
        return false;
    bool can = cursor_address && clear_screen;
    del_curterm(cur_term);
    return can;
}

bool screen_possible(void)
{
    int found = 0;
    state.stand_in = NULL;
    if (can_move(NULL, &found))
        return true;
    if (found != 0 || !can_move(STAND_IN, &found))
        return false;
    state.stand_in = STAND_IN;
    return true;
}

const char *screen_stand_in(void)
{
    return state.stand_in;
}

static void open_output(void)
{
    state.sent = state.buffer.used = 0;
    state.output = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (state.output < 0)
        state.output = STDOUT_FILENO; /* another user's terminal, say: then a frame may be waited for */
}

int screen_open(char *err, size_t err_size)
{
    const char *term = getenv("TERM");
    if (tcgetattr(STDIN_FILENO, &state.saved) != 0) {
        int error = errno;
        snprintf(err, err_size, "cannot read the terminal's settings: %s", strerror(error));
        return -error;
    }
    if (!curses_start()) {
        snprintf(err, err_size, "cannot open the terminal: no description of TERM=%s is usable; try --plain",
                 term ? term : "");
        return -ENOTTY;
    }
    reset_prepare();
    open_output();
    fatal_set(on_fatal);
    curses_settings();
    terminal_describe();
    keys_learn();
    tell_terminal(PASTE_ON PASTE_ASK);
    state.open = state.fresh = true;
    return 0;
}

void screen_close(void)
{
    if (!state.open)
        return;
    screen_mouse(false);
    tell_terminal(PASTE_OFF);
    endwin();
    delscreen(state.screen);
    fatal_set(SIG_DFL);
    grid_fini(&state.shown);
    free(state.buffer.data);
    state.buffer = (struct paint_buffer){0};
    if (state.output != STDOUT_FILENO)
        close(state.output);
    state.screen = NULL;
    state.open = state.themed = false;
}

bool screen_measure(int *width, int *height)
{
    struct winsize size = {0};
    int wide = COLS, high = LINES;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        wide = size.ws_col;
        high = size.ws_row;
    }
    bool changed = *width != wide || *height != high;
    *width = wide;
    *height = high;
    return changed;
}

bool screen_is_console(void)
{
    const char *term = getenv("TERM");
    return term && strcmp(term, "linux") == 0;
}

/* Attributes that the terminal cannot show together with colors are left out. */
static unsigned attrs_shown(const struct style *style)
{
    static const struct {
        unsigned attr;
        int bit;
    } unfit[] = {{STYLE_UNDERLINE, 2}, {STYLE_REVERSE, 4}, {STYLE_DIM, 16}, {STYLE_BOLD, 32}};
    unsigned attrs = style->attrs;
    bool colored = style->fg >= 0 || style->bg >= 0;
    for (size_t i = 0; i < COUNT(unfit) && colored && no_color_video > 0; i++)
        if (no_color_video & unfit[i].bit)
            attrs &= ~unfit[i].attr;
    return attrs;
}

static void color_describe(char out[PAINT_TEXT_MAX], const char *capability, int color)
{
    capability_set(out, color < 0 ? NULL : tparm(capability, (long)color, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L));
}

void screen_theme(enum theme_palette palette)
{
    if (state.themed && palette == state.palette)
        return;
    state.palette = palette;
    state.themed = state.fresh = true;
    bool colored = set_a_foreground && set_a_background && orig_pair;
    int colors = !colored ? 0 : max_colors > 256 ? 8 : max_colors; /* beyond 256 a color is no index */
    for (int role = 0; role < ROLE_LIMIT; role++)
        for (int selected = 0; selected < 2; selected++) {
            struct paint_style *style = &state.terminal.styles[role][selected];
            style->style = theme_style(palette, colors, (enum role)role, selected);
            style->style.attrs = attrs_shown(&style->style);
            color_describe(style->fore, set_a_foreground, style->style.fg);
            color_describe(style->back, set_a_background, style->style.bg);
        }
}

void screen_mouse(bool on)
{
    if (on == state.mouse)
        return;
    state.mouse = state.input.mouse = on;
    tell_terminal(on ? MOUSE_ON : MOUSE_OFF);
}

/* As far as it takes it. What is left belongs to a frame that has begun: it goes out before the next one. */
static void send_frame(void)
{
    while (state.sent < state.buffer.used) {
        ssize_t n = write(state.output, state.buffer.data + state.sent, state.buffer.used - state.sent);
        if (n > 0)
            state.sent += (size_t)n;
        else if (errno == EAGAIN)
            return;
        else if (errno != EINTR)
            state.sent =
                state.buffer.used; /* the terminal is gone; the main loop hears of it by its hang-up */
    }
}

bool screen_ready(void)
{
    struct pollfd output = {state.output, POLLOUT, 0};
    send_frame();
    return state.sent == state.buffer.used && poll(&output, 1, 0) == 1;
}

int screen_output(void)
{
    return state.output;
}

void screen_show(const struct grid *grid, bool unicode)
{
    state.fresh |= unicode != state.terminal.unicode;
    state.terminal.unicode = unicode;
    state.buffer.used = state.sent = 0;
    state.fresh = !paint(&state.terminal, &state.shown, grid, state.fresh, &state.buffer);
    if (!state.fresh)
        send_frame();
}

void screen_repaint(void)
{
    state.fresh = true;
}

static void terminal_take(void)
{
    refresh();
    input_reset(&state.input);
    tell_terminal(state.mouse ? PASTE_ON MOUSE_ON : PASTE_ON);
    screen_repaint();
}

void screen_resume(void)
{
    endwin();
    terminal_take();
}

void screen_suspend(void)
{
    sigset_t stop, before;
    struct sigaction standard = {.sa_handler = SIG_DFL}, saved;
    tell_terminal(state.mouse ? PASTE_OFF MOUSE_OFF : PASTE_OFF);
    endwin();
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    sigaction(SIGTSTP, &standard, &saved);
    pthread_sigmask(SIG_UNBLOCK, &stop, &before);
    raise(SIGTSTP);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    sigaction(SIGTSTP, &saved, NULL);
    terminal_take();
}

bool screen_read(usec_t now)
{
    struct pollfd ready = {STDIN_FILENO, POLLIN, 0};
    state.taken = state.came = 0;
    if (poll(&ready, 1, 0) == 1 && ready.revents & POLLIN) {
        ssize_t size = read(STDIN_FILENO, state.bytes, sizeof state.bytes);
        state.came = size > 0 ? (size_t)size : 0;
    }
    return state.came > 0 || now >= input_due(&state.input);
}

bool screen_event(usec_t now, struct input_event *out)
{
    while (state.taken < state.came) {
        const char *rest = state.bytes + state.taken;
        state.taken += input_take(&state.input, rest, state.came - state.taken, now, out);
        if (out->kind != INPUT_NOTHING)
            return true;
    }
    while (state.came == 0 && input_expire(&state.input, now, out))
        if (out->kind != INPUT_NOTHING)
            return true;
    return false;
}

const struct input *screen_input(void)
{
    return &state.input;
}
