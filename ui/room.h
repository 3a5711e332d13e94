/* SPDX-License-Identifier: MIT */
/* The control room without its terminal: what is shown, what is selected, what is asked. Keys come in,
 * commands go out by the port, the grid is drawn. Main thread only. Views and dialogs read and change it. */
#ifndef UI_ROOM_H
#define UI_ROOM_H
#include "core/command.h"
#include "core/config.h"
#include "core/port.h"
#include "ui/dialog.h"
#include "ui/glyph.h"
#include "ui/grid.h"
#include "ui/keymap.h"
#include "ui/layout.h"
#include "ui/line.h"

#define ROOM_PENDING_MAX 16

enum room_request { ROOM_NOTHING, ROOM_REPAINT, ROOM_SUSPEND, ROOM_RESUME };

/* A command whose answer is awaited. */
struct pending {
    uint64_t id; /* 0 = free */
    bool quiet;  /* only a refusal is worth a message */
};

struct room {
    const struct port *port;
    bool read_only;
    bool unicode;                /* the terminal shows UTF-8 */
    bool console;                /* the Linux console: no braille in its font */
    usec_t now;                  /* of this turn */
    struct snapshot *live;       /* the newest */
    struct snapshot *kept;       /* the one shown while frozen */
    const struct snapshot *snap; /* shown: live or kept */
    bool frozen;
    usec_t frozen_at;
    struct config_ui look;     /* in force on this screen */
    struct config_ui look_set; /* as control last said */
    const struct glyphs *glyphs;

    enum panel focus;
    bool zoomed;
    int window;       /* index of the chart window; -1 = nobody has chosen one */
    int chart_cursor; /* cells back from the newest; -1 = none */
    int selected;     /* instance id; 0 = none */
    int table_top;
    int sort_column;
    bool sort_reversed;
    uint64_t entry; /* journal seq selected; 0 = follow the newest */
    int journal_top;
    int rows[PANEL_LIMIT]; /* list rows each panel showed last */
    struct line filter[PANEL_LIMIT];
    bool filtering;
    bool asked;         /* something was opened by a key of this read */
    usec_t flood_until; /* what comes until then belongs to the flood before it */

    char message[256];
    enum role message_role;
    usec_t message_until;
    struct pending pending[ROOM_PENDING_MAX];
    uint64_t scale_id; /* of the last CMD_SCALE, and its count */
    int scale_count;

    const struct dialog_ops *dialog; /* NULL = none */
    union dialog_state state;
    bool quit_wanted, quitting; /* the operator said so; CMD_QUIT is posted */
    bool leaving;               /* CMD_LEAVE is posted */
    bool dirty;                 /* something to draw, when a frame's time has passed */
    bool urgent;                /* draw it at once */
    enum room_request request;
};

/* False: out of memory. config_ui's defaults rule until the first snapshot. */
bool room_init(struct room *room, const struct port *port, bool read_only, bool unicode);
void room_fini(struct room *room);

/* Reads the port, notes answers, lets dialogs and messages expire. */
void room_turn(struct room *room, usec_t now);
void room_read_begins(struct room *room);
/* The keys of one read, or a part of them. A question takes none that came with the key that opened it, but
 * Esc. Many different letters at once are a paste, where brackets do not tell one: outside a field they do
 * nothing. */
void room_keys(struct room *room, const int *keys, int count, bool brackets);
/* Into the open field, or nowhere; cut: there was more of it. */
void room_paste(struct room *room, const char *text, size_t size, bool cut);
/* A key that came alone. */
void room_key(struct room *room, int key);
/* Acts, whatever it came with. */
void room_act_key(struct room *room, int key);
void room_click(struct room *room, const struct grid *grid, int x, int y);
/* Draws everything; clears dirty and urgent. */
void room_draw(struct room *room, struct grid *grid);
/* When the next turn is due though nothing comes in; USEC_NEVER = not at all. */
usec_t room_deadline(const struct room *room);
/* Control said it stops, and nothing of it is left. */
bool room_over(const struct room *room);

/* For views and dialogs. */

void room_say(struct room *room, enum role role, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Posts a command; the answer becomes a message (a quiet one only when refused). Returns its id, 0 = not
 * posted. */
uint64_t room_post(struct room *room, const struct command *command, bool quiet);
/* The count in force, or the one asked for while that has no answer yet: quick keys must add up. */
int room_desired(const struct room *room);
void room_scale(struct room *room, int count);
/* The answer to a command, or NULL while there is none. */
const struct answer *room_answer(const struct room *room, uint64_t id);
void room_open(struct room *room, const struct dialog_ops *dialog);
void room_close(struct room *room);
/* The operator wants to leave: as 'q'. A second time in a row, and on signals, stops in order. */
void room_quit(struct room *room);
void room_stop(struct room *room);
/* Ends, and leaves what runs to the next start. */
void room_leave(struct room *room);
/* Why the key cannot be used now, where the focus is; NULL = it can. */
const char *room_refusal(const struct room *room, const struct key_row *row);
/* Runs an action as its key would; refusals become messages. */
void room_act(struct room *room, const struct key_row *row);
/* Charts that have something to show: the first 2, or all. */
int room_charts(const struct room *room);
bool room_writable(const struct room *room);
const struct instance_view *room_instance(const struct room *room, int id);
struct area room_area(struct grid *grid, struct box box);

#endif
