/* SPDX-License-Identifier: MIT */
/* The frame around every dialog, and scrolling within one. */
#include "ui/dialog.h"
#include "core/text.h"
#include "ui/room.h"
#include <stdio.h>
#include <string.h>

void dialog_draw(struct room *room, struct grid *grid)
{
    struct dialog_size size = room->dialog->size(room);
    struct area screen = grid_area(grid);
    int width = size.width + 4, height = size.height + 2;
    width = width > screen.width ? screen.width : width;
    height = height > screen.height ? screen.height : height;
    struct area box =
        area_part(screen, (screen.width - width) / 2, (screen.height - height) / 2, width, height);
    const struct glyphs *g = room->glyphs;
    draw_fill(box, 0, 0, width, height, ROLE_NORMAL, ' ');
    draw_fill(box, 0, 0, width, 1, ROLE_BORDER, g->rule);
    draw_fill(box, 0, height - 1, width, 1, ROLE_BORDER, g->rule);
    draw_fill(box, 0, 0, 1, height, ROLE_BORDER, g->side);
    draw_fill(box, width - 1, 0, 1, height, ROLE_BORDER, g->side);
    draw_code(box, 0, 0, ROLE_BORDER, g->top_left);
    draw_code(box, width - 1, 0, ROLE_BORDER, g->top_right);
    draw_code(box, 0, height - 1, ROLE_BORDER, g->bottom_left);
    draw_code(box, width - 1, height - 1, ROLE_BORDER, g->bottom_right);
    draw_textf(box, 2, 0, ROLE_TITLE, " %s ", room->dialog->title);
    room->dialog->draw(room, area_part(box, 2, 1, width - 4, height - 2));
}

bool dialog_scroll(struct scroll_state *scroll, int key)
{
    int page = scroll->page > 1 ? scroll->page - 1 : 1;
    int last = scroll->rows > scroll->page ? scroll->rows - scroll->page : 0;
    switch (key) {
    case UI_KEY_UP:
    case 'k':
        scroll->top--;
        break;
    case UI_KEY_DOWN:
    case 'j':
        scroll->top++;
        break;
    case UI_KEY_PAGE_UP:
        scroll->top -= page;
        break;
    case UI_KEY_PAGE_DOWN:
    case ' ':
        scroll->top += page;
        break;
    case UI_KEY_HOME:
    case 'g':
        scroll->top = 0;
        break;
    case UI_KEY_END:
    case 'G':
        scroll->top = last;
        break;
    default:
        return false;
    }
    scroll->top = scroll->top > last ? last : scroll->top < 0 ? 0 : scroll->top;
    scroll->follow = scroll->top == last && (key == 'G' || key == UI_KEY_END || scroll->follow);
    return true;
}

bool dialog_yes(int key)
{
    return key == 'y' || key == 'Y';
}

bool dialog_no(int key)
{
    return key == 'n' || key == 'N' || key == UI_KEY_ESC;
}

void dialog_hint(struct area area, const char *hint)
{
    char text[160];
    snprintf(text, sizeof text, "%s", hint);
    while (text_width(text) > area.width) {
        char *cut = NULL;
        for (char *gap = strstr(text, "   "); gap; gap = strstr(gap + 3, "   "))
            cut = gap;
        if (!cut)
            break;
        *cut = '\0';
    }
    draw_text(area, 0, area.height - 1, ROLE_DIM, text);
}

/* Bytes of the longest part of text, cut at a blank, that fits. */
static size_t line_end(const char *text, int columns)
{
    size_t end = 0, blank = 0, length = strlen(text);
    int used = 0;
    while (end < length) {
        uint32_t code;
        size_t size = text_decode(text + end, length - end, &code);
        used += text_char_width(code);
        if (used > columns)
            return blank ? blank : end ? end : size;
        end += size;
        if (code == ' ')
            blank = end;
    }
    return length;
}

int dialog_wrap(struct area area, int y, enum role role, const char *text)
{
    char clean[1200], line[1200];
    int rows = 0;
    text_clean(clean, sizeof clean, text);
    for (const char *p = clean; *p && area.width > 0; rows++) {
        size_t size = line_end(p, area.width);
        memcpy(line, p, size);
        line[size] = '\0';
        draw_text(area, 0, y + rows, role, line);
        p += size;
    }
    return rows;
}
