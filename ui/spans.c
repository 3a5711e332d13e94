/* SPDX-License-Identifier: MIT */
/* Pieces are sanitised as they are added, so that their width is what will be drawn. */
#include "ui/spans.h"
#include "core/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void spans_add(struct spans *spans, int rank, enum role role, const char *format, ...)
{
    if (spans->count == SPANS_MAX)
        return;
    char text[SPANS_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct span *span = &spans->items[spans->count++];
    text_clean(span->text, sizeof span->text, text);
    span->role = role;
    span->rank = rank;
}

int spans_width(const struct spans *spans)
{
    int width = 0;
    for (int i = 0; i < spans->count; i++)
        width += text_width(spans->items[i].text);
    return width;
}

/* What became the first piece begins without the gap to the one before it. */
static void trim_first(struct spans *spans)
{
    char *text = spans->items[0].text;
    size_t blanks = strspn(text, " ");
    memmove(text, text + blanks, strlen(text + blanks) + 1);
}

void spans_fit(struct spans *spans, int columns)
{
    while (spans_width(spans) > columns) {
        int worst = 0;
        for (int i = 0; i < spans->count; i++)
            if (spans->items[i].rank > worst)
                worst = spans->items[i].rank;
        if (!worst)
            return;
        int kept = 0;
        bool first_goes = spans->items[0].rank == worst;
        for (int i = 0; i < spans->count; i++)
            if (spans->items[i].rank != worst)
                spans->items[kept++] = spans->items[i];
        spans->count = kept;
        if (first_goes && kept)
            trim_first(spans);
    }
}

int spans_draw(const struct spans *spans, struct area area, int x, int y)
{
    for (int i = 0; i < spans->count; i++)
        x = draw_text(area, x, y, spans->items[i].role, spans->items[i].text);
    return x;
}
