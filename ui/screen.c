/* SPDX-License-Identifier: MIT */
/* Owns curses, the terminal's settings and the handlers of fatal signals. Curses opens the terminal,
 * describes it and reads its keys; frames are made by ui/paint and go out in one write each. The handlers
 * that curses installs are taken out again: signals come to the main loop by a descriptor. */
#include "ui/screen.h"
#include "ui/key.h"
#include "ui/paint.h"
#include <curses.h>
#include <errno.h>
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

#define ESCAPE_WAIT_MS 25

static struct {
    SCREEN *screen;
    WINDOW *keys;     /* a pad: reading from it draws nothing */
    bool open, fresh; /* fresh: draw everything */
    bool mouse, themed;
    enum theme_palette palette;
    struct paint_terminal terminal;
    struct paint_buffer buffer;
    struct grid shown;
    struct termios saved;
    char reset[256]; /* what makes the terminal sane again */
    size_t reset_size;
} state;

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGQUIT};
static const int curses_signals[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};

#define COUNT(array) (sizeof array / sizeof *(array))

/* Only what may be called in a signal handler; the handler is gone by then, so the signal kills. */
static void on_fatal(int signal_number)
{
    ssize_t written = write(STDOUT_FILENO, state.reset, state.reset_size);
    (void)written;
    tcsetattr(STDIN_FILENO, TCSANOW, &state.saved);
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
    reset_add("\033[?1000l\033[?1006l");
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
    state.screen = newterm(NULL, stdout, stdin);
    for (size_t i = 0; i < COUNT(curses_signals); i++)
        sigaction(curses_signals[i], &before[i], NULL);
    return state.screen != NULL;
}

static void curses_settings(void)
{
    raw();
    noecho();
    nonl();
    set_escdelay(ESCAPE_WAIT_MS);
    typeahead(-1);
    state.keys = newpad(1, 1);
    keypad(state.keys, TRUE);
    nodelay(state.keys, TRUE);
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

bool screen_possible(void)
{
    int found;
    if (setupterm(NULL, STDOUT_FILENO, &found) != OK)
        return false;
    bool can = cursor_address && clear_screen;
    del_curterm(cur_term);
    return can;
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
    fatal_set(on_fatal);
    curses_settings();
    terminal_describe();
    state.open = state.fresh = true;
    return 0;
}

void screen_close(void)
{
    if (!state.open)
        return;
    screen_mouse(false);
    delwin(state.keys);
    endwin();
    delscreen(state.screen);
    fatal_set(SIG_DFL);
    grid_fini(&state.shown);
    free(state.buffer.data);
    state.buffer = (struct paint_buffer){0};
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
    state.mouse = on;
    mousemask(on ? BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0, NULL);
    mouseinterval(0);
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

void screen_show(const struct grid *grid, bool unicode)
{
    state.fresh |= unicode != state.terminal.unicode;
    state.terminal.unicode = unicode;
    state.buffer.used = 0;
    state.fresh = !paint(&state.terminal, &state.shown, grid, state.fresh, &state.buffer);
    if (!state.fresh)
        write_all(state.buffer.data, state.buffer.used);
}

void screen_repaint(void)
{
    state.fresh = true;
}

void screen_resume(void)
{
    endwin();
    refresh();
    screen_repaint();
}

void screen_suspend(void)
{
    sigset_t stop, before;
    struct sigaction standard = {.sa_handler = SIG_DFL}, saved;
    endwin();
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    sigaction(SIGTSTP, &standard, &saved);
    pthread_sigmask(SIG_UNBLOCK, &stop, &before);
    raise(SIGTSTP);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    sigaction(SIGTSTP, &saved, NULL);
    refresh();
    screen_repaint();
}

static int mouse_key(struct ui_mouse *mouse)
{
    MEVENT event;
    if (getmouse(&event) != OK)
        return UI_KEY_OTHER;
    *mouse = (struct ui_mouse){event.x, event.y};
    if (event.bstate & BUTTON4_PRESSED)
        return UI_KEY_WHEEL_UP;
    if (event.bstate & BUTTON5_PRESSED)
        return UI_KEY_WHEEL_DOWN;
    return UI_KEY_CLICK;
}

static int function_key(wint_t key)
{
    static const struct {
        wint_t curses;
        int ours;
    } keys[] = {{KEY_UP, UI_KEY_UP},         {KEY_DOWN, UI_KEY_DOWN},     {KEY_LEFT, UI_KEY_LEFT},
                {KEY_RIGHT, UI_KEY_RIGHT},   {KEY_PPAGE, UI_KEY_PAGE_UP}, {KEY_NPAGE, UI_KEY_PAGE_DOWN},
                {KEY_HOME, UI_KEY_HOME},     {KEY_END, UI_KEY_END},       {KEY_DC, UI_KEY_DELETE},
                {KEY_BTAB, UI_KEY_BACK_TAB}, {KEY_ENTER, UI_KEY_ENTER},   {KEY_BACKSPACE, UI_KEY_BACKSPACE},
                {KEY_F(1), UI_KEY_F1},       {KEY_F(2), UI_KEY_F2},       {KEY_F(9), UI_KEY_F9},
                {KEY_F(10), UI_KEY_F10}};
    for (size_t i = 0; i < COUNT(keys); i++)
        if (keys[i].curses == key)
            return keys[i].ours;
    return UI_KEY_OTHER;
}

int screen_key(struct ui_mouse *mouse)
{
    wint_t key;
    int kind = wget_wch(state.keys, &key);
    if (kind == ERR)
        return UI_KEY_NONE;
    if (kind == KEY_CODE_YES)
        return key == KEY_MOUSE ? mouse_key(mouse) : function_key(key);
    return key == '\n' ? UI_KEY_ENTER : (int)key;
}
