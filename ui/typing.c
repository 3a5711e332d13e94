/* SPDX-License-Identifier: MIT */
/* Tells typing from what was pasted or sent by nobody: keys are judged by the read they came in, since no
 * hand is as quick as one. */
#include "core/text.h"
#include "ui/key.h"
#include "ui/room.h"

#define TYPED_MAX  3   /* different letters that a hand may have typed into one read */
#define FLOOD_SIZE 256 /* so much at once goes on in the next read */
#define FLOOD_REST (200 * USEC_PER_MSEC)

static bool is_letter(int key)
{
    return key >= ' ' && key != UI_KEY_BACKSPACE && key < UI_KEY_UP;
}

/* How many different letters; TYPED_MAX + 1 = more than that. */
static int different_letters(const int *keys, int count)
{
    int seen[TYPED_MAX + 1], different = 0;
    for (int i = 0; i < count && different <= TYPED_MAX; i++) {
        int known = 0;
        while (known < different && seen[known] != keys[i])
            known++;
        if (is_letter(keys[i]) && known == different)
            seen[different++] = keys[i];
    }
    return different;
}

static bool in_form(const struct room *room)
{
    return room->dialog && room->dialog->form;
}

static bool in_field(const struct room *room)
{
    return room->filtering || in_form(room);
}

/* An Enter, Tab or other control key with letters behind it: lines that were pasted. */
static bool has_lines(const int *keys, int count)
{
    bool control = false;
    for (int i = 0; i < count; i++) {
        if (control && is_letter(keys[i]))
            return true;
        control |= keys[i] < ' ';
    }
    return false;
}

static bool takes_text(const struct room *room)
{
    return room->filtering || (in_form(room) && form_takes_text(&room->state.form.form));
}

static void letter(struct room *room, int key)
{
    if (room->filtering)
        line_key(&room->filter[room->focus], key);
    else
        room->dialog->key(room, key);
}

void room_paste(struct room *room, const char *text, size_t size, bool cut)
{
    bool blank = false, begun = false;
    uint32_t code;
    room->dirty = room->urgent = true;
    if (!takes_text(room) || room->asked) {
        room_say(room, ROLE_WARN, "ignored a paste: no field is open");
        return;
    }
    for (size_t at = 0; at < size;) {
        at += text_decode(text + at, size - at, &code);
        bool gap = code <= ' ' || (code >= 0x7F && code < 0xA0);
        if (!gap && blank && begun)
            letter(room, ' ');
        if (!gap)
            letter(room, (int)code);
        blank = gap;
        begun |= !gap;
    }
    if (cut)
        room_say(room, ROLE_WARN, "the paste was too long; only its beginning was taken");
}

static void paste_keys(struct room *room, const int *keys, int count)
{
    bool blank = false;
    for (int i = 0; i < count; i++) {
        if (is_letter(keys[i]) && takes_text(room)) {
            if (blank)
                letter(room, ' ');
            letter(room, keys[i]);
        }
        blank = keys[i] < ' ';
    }
    room->dirty = room->urgent = true;
}

/* Whether a read is more than a hand types where it would do something. */
static bool is_flood(struct room *room, const int *keys, int count, bool brackets)
{
    int different = different_letters(keys, count);
    bool flood = !brackets && (different > TYPED_MAX || (different > 0 && room->now < room->flood_until));
    if (flood && count >= FLOOD_SIZE)
        room->flood_until = room->now + FLOOD_REST;
    return flood || (room->dialog && different > 1);
}

static bool is_special(int key)
{
    return key >= UI_KEY_UP;
}

void room_read_begins(struct room *room)
{
    room->asked = false;
}

void room_keys(struct room *room, const int *keys, int count, bool brackets)
{
    bool field = in_field(room);
    if (field && !brackets && different_letters(keys, count) > TYPED_MAX && has_lines(keys, count)) {
        paste_keys(room, keys, count);
        return;
    }
    bool flood = !field && is_flood(room, keys, count, brackets), ignored = false;
    for (int i = 0; i < count; i++) {
        bool always = keys[i] == UI_CTRL('z') || keys[i] == UI_CTRL('l');
        bool unasked = room->asked && room->dialog && keys[i] != UI_KEY_ESC && !always;
        if (unasked || (flood && !is_special(keys[i])))
            ignored = true;
        else
            room_act_key(room, keys[i]);
    }
    if (ignored)
        room_say(room, ROLE_WARN, "%s",
                 flood ? "ignored: too many different keys at once; was it a paste?"
                       : "ignored the keys that came together with the one that opened this");
}

void room_key(struct room *room, int key)
{
    room_read_begins(room);
    room_keys(room, &key, 1, true);
}
