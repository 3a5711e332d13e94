/* SPDX-License-Identifier: MIT */
/* What a cell means, and how that looks in each palette. Colors are Okabe and Ito's, told apart by people who
 * see few of them; no color carries a meaning alone. Numbers only: ui/screen.c makes terminal colors of them.
 */
#ifndef UI_THEME_H
#define UI_THEME_H
#include <stdbool.h>

enum role {
    ROLE_NORMAL,
    ROLE_DIM,
    ROLE_STRONG,
    ROLE_BAR, /* header and footer */
    ROLE_BAR_NAME,
    ROLE_BAR_KEY,
    ROLE_BAR_DIM,
    ROLE_AUTO, /* the badge of the mode */
    ROLE_MANUAL_MODE,
    ROLE_TITLE,
    ROLE_FOCUS,
    ROLE_HEAD, /* table heads */
    ROLE_RULE,
    ROLE_AXIS,
    ROLE_CPU,
    ROLE_COUNT_LINE,
    ROLE_RPM,
    ROLE_P50,
    ROLE_P95,
    ROLE_P99,
    ROLE_WANTED,
    ROLE_LIMIT_UP,
    ROLE_LIMIT_DOWN,
    ROLE_CURSOR,
    ROLE_UP,
    ROLE_DOWN,
    ROLE_MANUAL,
    ROLE_GOOD,
    ROLE_BUSY,
    ROLE_WARN,
    ROLE_BAD,
    ROLE_ALERT, /* banners */
    ROLE_NOTICE,
    ROLE_BORDER,
    ROLE_FIELD,
    ROLE_FIELD_BAD,
    ROLE_GREYED,
    ROLE_LIMIT
};

enum style_attr { STYLE_BOLD = 1, STYLE_DIM = 2, STYLE_REVERSE = 4, STYLE_UNDERLINE = 8 };

/* Colors are indices of the terminal's palette; -1 is its own color. */
struct style {
    short fg, bg;
    unsigned attrs; /* enum style_attr */
};

enum theme_palette { THEME_DARK, THEME_LIGHT, THEME_MONO };

/* colors: how many the terminal has (below 8 is mono). selected: the cell lies in the selected row. */
struct style theme_style(enum theme_palette palette, int colors, enum role role, bool selected);

/* Light or dark by COLORFGBG ("0;15"), which some terminals set; NULL or anything else is dark. */
enum theme_palette theme_guess(const char *colorfgbg);

#endif
