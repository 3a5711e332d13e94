/* SPDX-License-Identifier: MIT */
/* A form over rows of the option table: each value is checked by the table as it is typed. Plain value. */
#ifndef UI_FORM_H
#define UI_FORM_H
#include "core/config.h"
#include "core/options.h"
#include "ui/glyph.h"
#include "ui/grid.h"
#include "ui/line.h"

#define FORM_ROWS_MAX 16

struct form_row {
    const struct option *option;
    char was[LINE_MAX_BYTES]; /* the value in force */
    struct line line;         /* the value typed */
    bool typed;               /* the first letter replaces the value */
};

struct form {
    int count, at; /* the row with the cursor; may be count: the button below */
    bool button;   /* there is one */
    struct form_row rows[FORM_ROWS_MAX];
    char error[CONFIG_ERROR_SIZE]; /* "" = all values and the rules between them hold */
};

/* keys: "section.key", NULL at the end; unknown ones are left out. */
void form_open(struct form *form, const char *const keys[], const struct config *config);
/* False: not a key of the form. Arrows up and down change the row; left, right and Space step choices and
 * switches; letters edit. Checks everything against config. */
bool form_key(struct form *form, int key, const struct config *config);
/* Left or right on a number: a tenth more or less. False: the row is no number. */
bool form_nudge(struct form *form, int direction, const struct config *config);
/* The cursor is in a field of text. */
bool form_takes_text(const struct form *form);
bool form_changed(const struct form *form);
/* "section.key=value" lines of the changed rows (all: of all rows). Returns how many; too long ones are left
 * out. */
int form_text(const struct form *form, bool all, char *out, size_t size);
/* Rows it takes in an area this high with so many rows kept free below; the others are scrolled to. */
int form_height(const struct form *form, int height, int below);
/* One row: what is wrong, or what the field with the cursor means and, of a choice, may be. */
void form_help_draw(const struct form *form, const struct glyphs *glyphs, struct area area, int y);
/* A head, then a row each: name, the value typed, the one in force, the default, what is allowed. */
void form_draw(const struct form *form, const struct glyphs *glyphs, struct area area);

#endif
