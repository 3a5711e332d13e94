/* SPDX-License-Identifier: MIT */
/* Whatever an application writes, what text_sanitize() makes of it is obeyed by no terminal, stays in its
 * room, is UTF-8, and cleaning it again changes nothing. */
#include "core/text.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_harmless(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        uint32_t code;
        size_t used = text_decode(text + at, length - at, &code);
        require(used > 0);
        require(code >= 0x20 && (code < 0x7f || code > 0x9f));
        require(code < 0x202a || code > 0x202e);
        require(code < 0x2066 || code > 0x2069);
        require(text_char_width(code) >= 0 && text_char_width(code) <= 2);
        at += used;
    }
    require(at == length);
}

static void check_room(const uint8_t *data, size_t size, size_t room)
{
    char *clean = malloc(room), *again = malloc(room), *cut = malloc(room);
    if (clean && again && cut) {
        size_t length = text_sanitize(clean, room, (const char *)data, size);
        require(length < room && strlen(clean) == length);
        check_harmless(clean, length);
        require(text_clean(again, room, clean) == length && !memcmp(clean, again, length + 1));
        int columns = (int)(room % 40);
        int used = text_truncate(cut, room, clean, columns, size % 2);
        require(used <= columns && used == text_width(cut) && strlen(cut) < room);
    }
    free(clean);
    free(again);
    free(cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_room(data, size, 1 + size % 7);
    check_room(data, size, 1 + size % 97);
    check_room(data, size, 4 * size + 1);
    return 0;
}
