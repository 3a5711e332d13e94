/* SPDX-License-Identifier: MIT */
/* Keys as numbers: Unicode code points, control bytes as they are, and these for the rest. */
#ifndef UI_KEY_H
#define UI_KEY_H

enum ui_key {
    UI_KEY_NONE = -1,
    UI_KEY_TAB = 9,
    UI_KEY_ENTER = 13,
    UI_KEY_ESC = 27,
    UI_KEY_BACKSPACE = 127,
    UI_KEY_UP = 0x110000,
    UI_KEY_DOWN,
    UI_KEY_LEFT,
    UI_KEY_RIGHT,
    UI_KEY_PAGE_UP,
    UI_KEY_PAGE_DOWN,
    UI_KEY_HOME,
    UI_KEY_END,
    UI_KEY_DELETE,
    UI_KEY_BACK_TAB,
    UI_KEY_F1,
    UI_KEY_F2,
    UI_KEY_F9,
    UI_KEY_F10,
    UI_KEY_RESIZE,
    UI_KEY_CLICK, /* where: see struct ui_mouse of ui/screen.h */
    UI_KEY_WHEEL_UP,
    UI_KEY_WHEEL_DOWN,
    UI_KEY_OTHER, /* a key nothing is bound to */
};

#define UI_CTRL(letter) ((letter)&31)

#endif
