/* SPDX-License-Identifier: MIT */
/* The terminal: a grid is shown on it, keys come from it, and whatever happens it is left as it was found.
 * There is one, so this is a module with a state, not an object. The only includer of curses. Main thread
 * only. */
#ifndef UI_SCREEN_H
#define UI_SCREEN_H
#include "ui/grid.h"
#include "ui/input.h"

/* Whether the terminal that TERM names can move its cursor; one that is not known is taken for another. */
bool screen_possible(void);
/* The one it is taken for; NULL = TERM is known. */
const char *screen_stand_in(void);

/* 0, or -errno with the reason in err. Until screen_close() a fatal signal restores the terminal before it
 * kills. */
int screen_open(char *err, size_t err_size);
void screen_close(void);
/* From any thread, when the main one is stuck: makes the terminal sane as far as it takes anything at once.
 */
void screen_abandon(void);

/* Follows the window; true when its size changed. */
bool screen_measure(int *width, int *height);
/* The Linux console, whose font has no braille. */
bool screen_is_console(void);
/* Takes effect on what is shown next. */
void screen_theme(enum theme_palette palette);
void screen_mouse(bool on);
/* Whether it takes a frame now, the last one being all out; if not, screen_output() is to be waited for. */
bool screen_ready(void);
int screen_output(void);
/* Writes what differs from the grid shown last; nothing when nothing does. Signs outside ASCII need unicode.
 */
void screen_show(const struct grid *grid, bool unicode);
/* Draws all of the next grid anew. */
void screen_repaint(void);
/* Gives the terminal back, stops this process as Ctrl-Z does, takes it again when continued. */
void screen_suspend(void);
/* Takes the terminal again after somebody else stopped and continued this process. */
void screen_resume(void);
/* Begins the next read, never waiting; false: nothing has come and nothing has expired. */
bool screen_read(usec_t now);
/* The events of that read, one by one; false: there are no more. */
bool screen_event(usec_t now, struct input_event *out);
/* The reader of what came: pastes, whether the terminal marks them, when something expires. */
const struct input *screen_input(void);

#endif
