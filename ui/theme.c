/* SPDX-License-Identifier: MIT */
/* One row a role: the nearest of the 256-color cube on dark and on light ground, one of eight colors, and the
 * attributes that must do where there is no color. Constant tables, no state. */
#include "ui/theme.h"
#include <stdlib.h>
#include <string.h>

enum { BLACK, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE };

#define B STYLE_BOLD
#define D STYLE_DIM
#define R STYLE_REVERSE
#define U STYLE_UNDERLINE

struct theme_row {
    struct style dark, light, eight;
    unsigned mono;
};

/* Okabe-Ito in the cube: sky blue 74, green 36, orange 214, yellow 221, vermillion 202, purple 175, blue 32.
 */
static const struct theme_row rows[ROLE_LIMIT] = {
    [ROLE_NORMAL] = {{-1, -1, 0}, {-1, -1, 0}, {-1, -1, 0}, 0},
    [ROLE_DIM] = {{245, -1, 0}, {243, -1, 0}, {-1, -1, D}, D},
    [ROLE_STRONG] = {{-1, -1, B}, {-1, -1, B}, {-1, -1, B}, B},
    [ROLE_BAR] = {{252, 236, 0}, {236, 253, 0}, {-1, -1, R}, R},
    [ROLE_BAR_NAME] = {{255, 236, B}, {16, 253, B}, {-1, -1, R | B}, R | B},
    [ROLE_BAR_KEY] = {{117, 236, B}, {25, 253, B}, {-1, -1, R | B}, R | B},
    [ROLE_BAR_DIM] = {{245, 236, 0}, {243, 253, 0}, {-1, -1, R}, R},
    [ROLE_AUTO] = {{16, 36, B}, {255, 29, B}, {BLACK, GREEN, 0}, B},
    [ROLE_MANUAL_MODE] = {{16, 214, B}, {255, 130, B}, {BLACK, YELLOW, 0}, B | U},
    [ROLE_TITLE] = {{253, -1, B}, {235, -1, B}, {-1, -1, B}, B},
    [ROLE_FOCUS] = {{117, -1, B}, {25, -1, B}, {CYAN, -1, B}, B | U},
    [ROLE_HEAD] = {{250, 236, B}, {238, 253, B}, {-1, -1, R}, R},
    [ROLE_RULE] = {{239, -1, 0}, {249, -1, 0}, {-1, -1, D}, D},
    [ROLE_AXIS] = {{241, -1, 0}, {246, -1, 0}, {-1, -1, D}, D},
    [ROLE_CPU] = {{74, -1, 0}, {25, -1, 0}, {CYAN, -1, 0}, B},
    [ROLE_COUNT_LINE] = {{36, -1, 0}, {29, -1, 0}, {GREEN, -1, 0}, B},
    [ROLE_RPM] = {{221, -1, 0}, {130, -1, 0}, {YELLOW, -1, 0}, B},
    [ROLE_P50] = {{36, -1, 0}, {29, -1, 0}, {GREEN, -1, 0}, 0},
    [ROLE_P95] = {{214, -1, 0}, {130, -1, 0}, {YELLOW, -1, 0}, B},
    [ROLE_P99] = {{175, -1, 0}, {126, -1, 0}, {MAGENTA, -1, 0}, D},
    [ROLE_WANTED] = {{245, -1, 0}, {245, -1, 0}, {-1, -1, D}, D},
    [ROLE_LIMIT_UP] = {{214, -1, 0}, {130, -1, 0}, {YELLOW, -1, 0}, D},
    [ROLE_LIMIT_DOWN] = {{67, -1, 0}, {67, -1, 0}, {BLUE, -1, 0}, D},
    [ROLE_CURSOR] = {{231, 60, B}, {16, 189, B}, {-1, -1, R}, R},
    [ROLE_UP] = {{214, -1, B}, {130, -1, B}, {YELLOW, -1, B}, B},
    [ROLE_DOWN] = {{74, -1, B}, {25, -1, B}, {CYAN, -1, B}, B},
    [ROLE_MANUAL] = {{175, -1, B}, {126, -1, B}, {MAGENTA, -1, B}, B},
    [ROLE_GOOD] = {{36, -1, 0}, {29, -1, 0}, {GREEN, -1, 0}, 0},
    [ROLE_BUSY] = {{221, -1, 0}, {130, -1, 0}, {YELLOW, -1, 0}, 0},
    [ROLE_WARN] = {{214, -1, 0}, {130, -1, 0}, {YELLOW, -1, B}, B},
    [ROLE_BAD] = {{202, -1, B}, {160, -1, B}, {RED, -1, B}, B | U},
    [ROLE_ALERT] = {{231, 130, B}, {231, 130, B}, {WHITE, RED, B}, R | B},
    [ROLE_NOTICE] = {{255, 24, 0}, {255, 25, 0}, {WHITE, BLUE, B}, R},
    [ROLE_BORDER] = {{67, -1, 0}, {67, -1, 0}, {CYAN, -1, 0}, 0},
    [ROLE_FIELD] = {{255, 238, 0}, {16, 252, 0}, {-1, -1, R}, R},
    [ROLE_FIELD_BAD] = {{231, 124, B}, {231, 160, B}, {WHITE, RED, B}, R | U},
    [ROLE_GREYED] = {{240, -1, 0}, {248, -1, 0}, {-1, -1, D}, D},
};

static struct style style_selected(struct style style, enum theme_palette palette, int colors)
{
    if (colors < 256) {
        style.attrs = (style.attrs & ~D) | R;
        return style;
    }
    if (style.bg < 0)
        style.bg = palette == THEME_LIGHT ? 254 : 237;
    return style;
}

struct style theme_style(enum theme_palette palette, int colors, enum role role, bool selected)
{
    const struct theme_row *row = &rows[role < ROLE_LIMIT ? role : ROLE_NORMAL];
    struct style style = {-1, -1, row->mono};
    if (palette == THEME_MONO)
        colors = 0;
    if (colors >= 256)
        style = palette == THEME_LIGHT ? row->light : row->dark;
    else if (colors >= 8)
        style = row->eight;
    return selected ? style_selected(style, palette, colors) : style;
}

enum theme_palette theme_guess(const char *colorfgbg)
{
    const char *last = colorfgbg ? strrchr(colorfgbg, ';') : NULL;
    int background = last ? atoi(last + 1) : 0;
    return background == 7 || background == 15 ? THEME_LIGHT : THEME_DARK;
}
