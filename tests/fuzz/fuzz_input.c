/* SPDX-License-Identifier: MIT */
/* Whatever a terminal sends, in whatever pieces: it is all taken, every key is one, and after a rest nothing
 * is unfinished, so that the next key is heard. */
#include "ui/input.h"
#include "ui/key.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_event(const struct input *in, const struct input_event *event)
{
    require(in->paste_size <= sizeof in->paste && in->used < sizeof in->sequence);
    if (event->kind == INPUT_KEY) {
        require(event->key > 0 && event->key < UI_KEY_OTHER);
        require((unsigned)(event->key - 0xD800) > 0x7FF);
        require(event->x >= 0 && event->y >= 0);
    }
}

static void take_all(struct input *in, const char *data, size_t size, usec_t now)
{
    struct input_event event;
    size_t calls = 0;
    while (size > 0) {
        size_t used = input_take(in, data, size, now, &event);
        require(used > 0 || event.kind != INPUT_NOTHING);
        require(++calls < 10000000);
        check_event(in, &event);
        data += used;
        size -= used;
    }
}

static usec_t rest(struct input *in, usec_t now)
{
    struct input_event event;
    while (input_due(in) != USEC_NEVER) {
        now = input_due(in) > now ? input_due(in) : now;
        while (input_expire(in, now, &event))
            check_event(in, &event);
    }
    return now;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in;
    usec_t now = 1;
    input_init(&in, 100 * USEC_PER_MSEC);
    in.mouse = size % 2;
    for (size_t piece = 1 + size % 13, at = 0; at < size; at += piece) {
        take_all(&in, (const char *)data + at, size - at < piece ? size - at : piece, now);
        now += 20 * USEC_PER_MSEC;
        if (data[at] % 7 == 0)
            now = rest(&in, now);
    }
    now = rest(&in, now);
    struct input_event event;
    require(input_take(&in, "k", 1, now, &event) == 1 && event.kind == INPUT_KEY && event.key == 'k');
    return 0;
}
