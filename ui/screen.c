/* SPDX-License-Identifier: MIT */
/* Owns curses, the terminal's settings and the handlers of fatal signals. Keeps a copy of the grid shown
 * last, so that only rows that changed reach curses, and curses only writes what changed in them. The
 * handlers that curses installs are taken out again: signals come to the main loop by a descriptor. */
#include "ui/screen.h"
#include "core/text.h"
#include "ui/key.h"
#include <curses.h>
#include <errno.h>
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
#define PAIRS_MAX      128

struct paint {
    attr_t attrs;
    short pair;
};

static struct {
    SCREEN *screen;
    bool open, fresh; /* fresh: draw everything */
    bool mouse;
    enum theme_palette palette;
    bool painted;
    struct paint paints[ROLE_LIMIT][2];
    int pair_count;
    short pairs[PAIRS_MAX][2];
    struct grid shown;
    struct termios saved;
    char reset[256]; /* what makes the terminal sane again */
    size_t reset_size;
} state;

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGQUIT};
static const int curses_signals[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};

#define COUNT(array) (sizeof(array) / sizeof *(array))

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
    struct sigaction action = {.sa_handler = handler, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};
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
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    leaveok(stdscr, TRUE);
    curs_set(0);
    if (has_colors() && start_color() == OK)
        use_default_colors();
    refresh();
    endwin(); /* only after one such turn does ncurses 6.4 write a frame at once */
    refresh();
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
    state.open = state.fresh = true;
    return 0;
}

void screen_close(void)
{
    if (!state.open)
        return;
    screen_mouse(false);
    endwin();
    delscreen(state.screen);
    fatal_set(SIG_DFL);
    grid_fini(&state.shown);
    state.screen = NULL;
    state.open = state.painted = false;
}

bool screen_measure(int *width, int *height)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0 &&
        (size.ws_col != COLS || size.ws_row != LINES))
        resizeterm(size.ws_row, size.ws_col);
    bool changed = *width != COLS || *height != LINES;
    *width = COLS;
    *height = LINES;
    return changed;
}

bool screen_is_console(void)
{
    const char *term = getenv("TERM");
    return term && strcmp(term, "linux") == 0;
}

/* The number of a pair of colors; 0 (the terminal's own) when there are no more. */
static short pair_of(short fg, short bg)
{
    if (fg < 0 && bg < 0)
        return 0;
    for (int i = 0; i < state.pair_count; i++)
        if (state.pairs[i][0] == fg && state.pairs[i][1] == bg)
            return (short)(i + 1);
    if (state.pair_count >= PAIRS_MAX || state.pair_count + 1 >= COLOR_PAIRS)
        return 0;
    state.pairs[state.pair_count][0] = fg;
    state.pairs[state.pair_count][1] = bg;
    init_pair((short)(state.pair_count + 1), fg, bg);
    return (short)++state.pair_count;
}

static attr_t attrs_of(unsigned attrs)
{
    return (attrs & STYLE_BOLD ? A_BOLD : 0) | (attrs & STYLE_DIM ? A_DIM : 0) |
           (attrs & STYLE_REVERSE ? A_REVERSE : 0) | (attrs & STYLE_UNDERLINE ? A_UNDERLINE : 0);
}

void screen_theme(enum theme_palette palette)
{
    if (state.painted && palette == state.palette)
        return;
    state.palette = palette;
    state.painted = state.fresh = true;
    state.pair_count = 0;
    int colors = has_colors() ? (COLORS == 256 ? 256 : COLORS >= 8 ? 8 : 0) : 0;
    for (int role = 0; role < ROLE_LIMIT; role++)
        for (int selected = 0; selected < 2; selected++) {
            struct style style = theme_style(palette, colors, (enum role)role, selected);
            state.paints[role][selected] = (struct paint){attrs_of(style.attrs), pair_of(style.fg, style.bg)};
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

static void row_show(const struct grid *grid, int y, int from, int to, bool unicode)
{
    cchar_t cells[GRID_WIDTH_MAX];
    const struct cell *row = grid_row(grid, y);
    int count = 0;
    while (from > 0 && row[from].code == 0)
        from--;
    for (int x = from; x <= to; x++) {
        if (row[x].code == 0)
            continue;
        uint32_t code = !unicode && row[x].code >= 0x80 ? '?' : row[x].code;
        wchar_t text[2] = {(wchar_t)code, 0};
        const struct paint *paint = &state.paints[row[x].role][row[x].selected];
        setcchar(&cells[count++], text, paint->attrs, paint->pair, NULL);
        if (!unicode && x + 1 <= to && row[x + 1].code == 0)
            setcchar(&cells[count++], L" ", paint->attrs, paint->pair, NULL);
    }
    mvadd_wchnstr(y, from, cells, count);
}

void screen_show(const struct grid *grid, bool unicode)
{
    bool any = state.fresh;
    if (grid->width != state.shown.width || grid->height != state.shown.height)
        state.fresh = true;
    if (!grid_resize(&state.shown, grid->width, grid->height))
        return;
    for (int y = 0; y < grid->height && y < LINES; y++) {
        const struct cell *now = grid_row(grid, y), *was = grid_row(&state.shown, y);
        int from = 0, to = (grid->width < COLS ? grid->width : COLS) - 1;
        if (!state.fresh) {
            while (from <= to && memcmp(&now[from], &was[from], sizeof *now) == 0)
                from++;
            while (to > from && memcmp(&now[to], &was[to], sizeof *now) == 0)
                to--;
        }
        if (from > to)
            continue;
        any = true;
        row_show(grid, y, from, to, unicode);
        memcpy(state.shown.cells + (size_t)y * (size_t)grid->width, now, (size_t)grid->width * sizeof *now);
    }
    state.fresh = false;
    if (any)
        refresh();
}

void screen_repaint(void)
{
    state.fresh = true;
    redrawwin(stdscr);
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
    int kind = get_wch(&key);
    if (kind == ERR)
        return UI_KEY_NONE;
    if (kind == KEY_CODE_YES)
        return key == KEY_MOUSE ? mouse_key(mouse) : function_key(key);
    return key == '\n' ? UI_KEY_ENTER : (int)key;
}
