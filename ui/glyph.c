/* SPDX-License-Identifier: MIT */
/* The three sets. Braille and block differ only in how charts are drawn. */
#include "ui/glyph.h"

#define UNICODE_SIGNS                                                                                        \
    .unicode = true, .rule = 0x2500, .axis = 0x2502, .tick = 0x2524, .divider = 0x2502, .top_left = 0x250C,  \
    .top_right = 0x2510, .bottom_left = 0x2514, .bottom_right = 0x2518, .side = 0x2502, .focus = 0x25BA,     \
    .selected = 0x258C, .dot = 0xB7, .same = 0x2192

static const struct glyphs sets[] = {
    [GLYPH_BRAILLE] = {.style = GLYPH_BRAILLE, UNICODE_SIGNS},
    [GLYPH_BLOCK] = {.style = GLYPH_BLOCK, UNICODE_SIGNS},
    [GLYPH_ASCII] = {.style = GLYPH_ASCII,
                     .unicode = false,
                     .rule = '-',
                     .axis = '|',
                     .tick = '|',
                     .divider = '|',
                     .top_left = '+',
                     .top_right = '+',
                     .bottom_left = '+',
                     .bottom_right = '+',
                     .side = '|',
                     .focus = '>',
                     .selected = '*',
                     .dot = '.',
                     .same = '>'},
};

const struct glyphs *glyphs_of(enum glyph_style style)
{
    return &sets[style <= GLYPH_ASCII ? style : GLYPH_ASCII];
}
