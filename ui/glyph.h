/* SPDX-License-Identifier: MIT */
/* The signs the screen is drawn with: one set for terminals that show Unicode, one for those that do not. */
#ifndef UI_GLYPH_H
#define UI_GLYPH_H
#include <stdbool.h>
#include <stdint.h>

enum glyph_style { GLYPH_BRAILLE, GLYPH_BLOCK, GLYPH_ASCII };

struct glyphs {
    enum glyph_style style;
    bool unicode;
    uint32_t rule, axis, tick, divider;
    uint32_t top_left, top_right, bottom_left, bottom_right, side;
    uint32_t focus, selected, dot, same;
};

const struct glyphs *glyphs_of(enum glyph_style style);

#endif
