/* SPDX-License-Identifier: MIT */
/* A state machine, a byte at a time. A sequence that stops short is given up after a while, a lone Esc is a
 * key then; what arrives within a paste is text, whatever it looks like. */
#include "ui/input.h"
#include "ui/key.h"
#include <stdlib.h>
#include <string.h>

#define SEQUENCE_REST (500 * USEC_PER_MSEC) /* begun is begun: slow lines get longer than for an Esc */
#define PASTE_REST    (3 * USEC_PER_SEC)

#define COUNT(array)  (sizeof array / sizeof *(array))

static const char paste_end[] = "\033[201~";

struct known {
    const char *sequence; /* without its Esc */
    int key;
};

static const struct known known[] = {
    {"[A", UI_KEY_UP},
    {"[B", UI_KEY_DOWN},
    {"[C", UI_KEY_RIGHT},
    {"[D", UI_KEY_LEFT},
    {"OA", UI_KEY_UP},
    {"OB", UI_KEY_DOWN},
    {"OC", UI_KEY_RIGHT},
    {"OD", UI_KEY_LEFT},
    {"[H", UI_KEY_HOME},
    {"[F", UI_KEY_END},
    {"OH", UI_KEY_HOME},
    {"OF", UI_KEY_END},
    {"[1~", UI_KEY_HOME},
    {"[4~", UI_KEY_END},
    {"[7~", UI_KEY_HOME},
    {"[8~", UI_KEY_END},
    {"[3~", UI_KEY_DELETE},
    {"[5~", UI_KEY_PAGE_UP},
    {"[6~", UI_KEY_PAGE_DOWN},
    {"[Z", UI_KEY_BACK_TAB},
    {"OP", UI_KEY_F1},
    {"OQ", UI_KEY_F2},
    {"[P", UI_KEY_F1},
    {"[Q", UI_KEY_F2},
    {"[11~", UI_KEY_F1},
    {"[12~", UI_KEY_F2},
    {"[20~", UI_KEY_F9},
    {"[21~", UI_KEY_F10},
    {"[[A", UI_KEY_F1},
    {"[[B", UI_KEY_F2},
    {"OM", UI_KEY_ENTER},
    {"OI", UI_KEY_TAB},
    {"Oj", '*'},
    {"Ok", '+'},
    {"Ol", ','},
    {"Om", '-'},
    {"On", '.'},
    {"Oo", '/'},
    {"OX", '='},
    {"Op", '0'},
    {"Oq", '1'},
    {"Or", '2'},
    {"Os", '3'},
    {"Ot", '4'},
    {"Ou", '5'},
    {"Ov", '6'},
    {"Ow", '7'},
    {"Ox", '8'},
    {"Oy", '9'},
};

void input_init(struct input *in, usec_t escape_delay)
{
    *in = (struct input){.escape_delay = escape_delay, .due = USEC_NEVER};
}

void input_reset(struct input *in)
{
    in->state = INPUT_GROUND;
    in->due = USEC_NEVER;
}

void input_learn(struct input *in, const char *sequence, int key)
{
    if (sequence[0] != '\033' || !sequence[1] || strlen(sequence) > INPUT_SEQUENCE_MAX ||
        in->learned_count == INPUT_LEARNED_MAX)
        return;
    in->learned[in->learned_count].key = key;
    strcpy(in->learned[in->learned_count++].sequence, sequence + 1);
}

static int learned_key(const struct input *in)
{
    for (int i = 0; i < in->learned_count; i++)
        if (strcmp(in->learned[i].sequence, in->sequence) == 0)
            return in->learned[i].key;
    return UI_KEY_NONE;
}

static int known_key(const struct input *in)
{
    int key = learned_key(in);
    for (size_t i = 0; i < COUNT(known) && key == UI_KEY_NONE; i++)
        if (strcmp(known[i].sequence, in->sequence) == 0)
            key = known[i].key;
    return key;
}

static void emit(struct input_event *out, int key)
{
    *out = (struct input_event){.kind = INPUT_KEY, .key = key};
}

static void go(struct input *in, enum input_state state, usec_t due)
{
    in->state = state;
    in->due = due;
}

static void sequence_add(struct input *in, char byte)
{
    if (in->used + 1 >= sizeof in->sequence)
        in->overlong = true;
    else
        in->sequence[in->used++] = byte;
    in->sequence[in->used] = '\0';
}

static void sequence_begin(struct input *in, enum input_state state, char byte, usec_t now)
{
    in->used = 0;
    in->overlong = false;
    sequence_add(in, byte);
    go(in, state, now + SEQUENCE_REST);
}

static void escape_begin(struct input *in, usec_t now)
{
    in->alt = in->alone = false;
    go(in, INPUT_ESCAPE, now + in->escape_delay);
}

static void paste_begin(struct input *in, usec_t now)
{
    in->paste_size = in->paste_matched = 0;
    in->paste_cut = false;
    go(in, INPUT_PASTE, now + PASTE_REST);
}

static void mouse_event(const struct input *in, int button, int x, int y, struct input_event *out)
{
    static const struct {
        int button, key;
    } buttons[] = {{0, UI_KEY_CLICK}, {64, UI_KEY_WHEEL_UP}, {65, UI_KEY_WHEEL_DOWN}};
    for (size_t i = 0; in->mouse && i < COUNT(buttons); i++)
        if (buttons[i].button == button && x > 0 && y > 0)
            *out = (struct input_event){INPUT_KEY, buttons[i].key, x - 1, y - 1};
}

/* ESC [ < button ; x ; y M; a release ends in m. */
static void mouse_report(const struct input *in, struct input_event *out)
{
    char *p = NULL;
    long fields[3] = {0};
    const char *from = in->sequence + 2;
    for (int i = 0; i < 3; i++, from = p + 1) {
        fields[i] = strtol(from, &p, 10);
        if (p == from || *p != (i < 2 ? ';' : 'M') || fields[i] > 9999)
            return;
    }
    mouse_event(in, (int)fields[0], (int)fields[1], (int)fields[2], out);
}

static bool paste_mark_known(const char *sequence)
{
    static const char *const answers[] = {"[?2004;1$y", "[?2004;2$y", "[?2004;3$y"};
    for (size_t i = 0; i < COUNT(answers); i++)
        if (strcmp(sequence, answers[i]) == 0)
            return true;
    return false;
}

static void sequence_end(struct input *in, usec_t now, struct input_event *out)
{
    int key = in->overlong || in->alt ? UI_KEY_NONE : known_key(in);
    input_reset(in);
    if (in->overlong)
        return;
    if (key != UI_KEY_NONE)
        emit(out, key);
    else if (strcmp(in->sequence, "[200~") == 0)
        paste_begin(in, now);
    else if (strcmp(in->sequence, "[201~") == 0)
        out->kind = INPUT_PASTE_END;
    else if (strncmp(in->sequence, "[<", 2) == 0)
        mouse_report(in, out);
    else if (paste_mark_known(in->sequence))
        in->brackets = true;
}

static void utf8_begin(struct input *in, unsigned char byte, bool alt, usec_t now)
{
    in->alt = alt;
    in->missing = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    in->lead = in->missing;
    in->code = byte & (0x3Fu >> in->missing);
    if (byte >= 0xC2 && byte <= 0xF4)
        go(in, INPUT_UTF8, now + SEQUENCE_REST);
}

static size_t take_ground(struct input *in, unsigned char byte, usec_t now, struct input_event *out)
{
    if (byte == UI_KEY_ESC)
        escape_begin(in, now);
    else if (byte >= 0x80)
        utf8_begin(in, byte, false, now);
    else if (byte)
        emit(out, byte == '\n' ? UI_KEY_ENTER : byte);
    return 1;
}

static size_t take_utf8(struct input *in, unsigned char byte, usec_t now, struct input_event *out)
{
    static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
    (void)now;
    if ((byte & 0xC0) != 0x80) {
        input_reset(in);
        return 0;
    }
    in->code = in->code << 6 | (byte & 0x3F);
    if (--in->missing > 0)
        return 1;
    input_reset(in);
    bool valid = in->code >= least[in->lead] && in->code < 0x110000 && (in->code & ~0x7FFu) != 0xD800;
    if (valid && !in->alt)
        emit(out, (int)in->code);
    return 1;
}

static size_t take_escape(struct input *in, unsigned char byte, usec_t now, struct input_event *out)
{
    static const char strings[] = "]PX^_";
    if (byte == '[' || byte == 'O') {
        sequence_begin(in, byte == 'O' ? INPUT_SS3 : INPUT_CSI, (char)byte, now);
    } else if (byte && strchr(strings, byte)) {
        sequence_begin(in, INPUT_STRING, (char)byte, now);
    } else if (in->alone || (byte < ' ' && byte != UI_KEY_ESC)) { /* Esc, and then another key */
        input_reset(in);
        emit(out, UI_KEY_ESC);
        return 0;
    } else if (byte == UI_KEY_ESC) {
        go(in, INPUT_ESCAPES, now + in->escape_delay);
    } else if (byte >= 0x80) { /* Alt with a letter beyond ASCII: the letter goes with it */
        input_reset(in);
        utf8_begin(in, byte, true, now);
    } else {
        sequence_begin(in, INPUT_ESCAPE, (char)byte, now);
        int key = learned_key(in);
        input_reset(in);
        if (key != UI_KEY_NONE)
            emit(out, key);
    }
    return 1;
}

static size_t take_escapes(struct input *in, unsigned char byte, usec_t now, struct input_event *out)
{
    if (byte == '[' || byte == 'O') {
        in->alt = true;
        sequence_begin(in, byte == 'O' ? INPUT_SS3 : INPUT_CSI, (char)byte, now);
        return 1;
    }
    emit(out, UI_KEY_ESC);
    escape_begin(in, now);
    return 0;
}

/* rxvt writes Shift with a key as ESC [ 7 $; answers of modes, which have a $ too, have two numbers. */
static bool is_shifted(const struct input *in)
{
    size_t digits = strspn(in->sequence + 1, "0123456789");
    return digits > 0 && in->sequence[1 + digits] == '$';
}

static size_t take_csi(struct input *in, unsigned char byte, usec_t now, struct input_event *out)
{
    if (byte < ' ' || byte >= 0x80) {
        input_reset(in);
        return 0;
    }
    in->due = now + SEQUENCE_REST;
    sequence_add(in, (char)byte);
    if (byte == '[' && in->used == 2)
        in->state = INPUT_FUNCTION;
    else if (byte == 'M' && in->used == 2 && learned_key(in) == UI_KEY_NONE)
        in->state = INPUT_MOUSE;
    else if ((byte >= 0x40 && byte < 0x7F) || (byte == '$' && is_shifted(in)))
        sequence_end(in, now, out);
    return 1;
}

static size_t take_function(struct input *in, unsigned char byte, usec_t now, struct input_event *out)
{
    if (byte < ' ' || byte >= 0x80) {
        input_reset(in);
        return 0;
    }
    sequence_add(in, (char)byte);
    sequence_end(in, now, out);
    return 1;
}

static size_t take_ss3(struct input *in, unsigned char byte, usec_t now, struct input_event *out)
{
    bool number = (byte >= '0' && byte <= '9') || byte == ';';
    if (!number)
        return take_function(in, byte, now, out);
    sequence_add(in, (char)byte);
    in->due = now + SEQUENCE_REST;
    return 1;
}

static size_t take_string(struct input *in, unsigned char byte, usec_t now, struct input_event *out)
{
    enum { BELL = 7, CANCEL = 24, SUBSTITUTE = 26 };
    (void)out;
    in->due = now + SEQUENCE_REST;
    if (byte == UI_KEY_ESC)
        in->state = INPUT_STRING_ESCAPE;
    else if (byte == CANCEL || byte == SUBSTITUTE || (byte == BELL && in->sequence[0] == ']'))
        input_reset(in);
    return 1;
}

static size_t take_string_escape(struct input *in, unsigned char byte, usec_t now, struct input_event *out)
{
    (void)out;
    if (byte == '\\') {
        input_reset(in);
        return 1;
    }
    escape_begin(in, now); /* the string was broken off by another sequence */
    return 0;
}

static size_t take_mouse(struct input *in, unsigned char byte, usec_t now, struct input_event *out)
{
    if (byte < ' ') {
        input_reset(in);
        return 0;
    }
    sequence_add(in, (char)byte);
    in->due = now + SEQUENCE_REST;
    if (in->used < 5)
        return 1;
    const unsigned char *at = (const unsigned char *)in->sequence + 2;
    input_reset(in);
    if (!in->alt)
        mouse_event(in, at[0] - 32, at[1] - 32, at[2] - 32, out);
    return 1;
}

static void paste_add(struct input *in, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (in->paste_size < sizeof in->paste)
            in->paste[in->paste_size++] = text[i];
        else
            in->paste_cut = true;
    }
}

static size_t take_paste(struct input *in, unsigned char byte, usec_t now, struct input_event *out)
{
    in->due = now + PASTE_REST;
    if (byte != (unsigned char)paste_end[in->paste_matched]) {
        paste_add(in, paste_end, in->paste_matched);
        in->paste_matched = 0;
    }
    if (byte != (unsigned char)paste_end[in->paste_matched]) {
        paste_add(in, &(char){(char)byte}, 1);
    } else if (!paste_end[++in->paste_matched]) {
        input_reset(in);
        out->kind = INPUT_PASTED;
    }
    return 1;
}

size_t input_take(struct input *in, const char *data, size_t size, usec_t now, struct input_event *out)
{
    static size_t (*const takes[])(struct input *, unsigned char, usec_t, struct input_event *) = {
        [INPUT_GROUND] = take_ground, [INPUT_UTF8] = take_utf8,
        [INPUT_ESCAPE] = take_escape, [INPUT_ESCAPES] = take_escapes,
        [INPUT_CSI] = take_csi,       [INPUT_FUNCTION] = take_function,
        [INPUT_SS3] = take_ss3,       [INPUT_STRING] = take_string,
        [INPUT_MOUSE] = take_mouse,   [INPUT_STRING_ESCAPE] = take_string_escape,
        [INPUT_PASTE] = take_paste,
    };
    size_t used = 0;
    *out = (struct input_event){.kind = INPUT_NOTHING};
    while (used < size && out->kind == INPUT_NOTHING)
        used += takes[in->state](in, (unsigned char)data[used], now, out);
    if (used == size)
        in->alone = in->state == INPUT_ESCAPE;
    return used;
}

usec_t input_due(const struct input *in)
{
    return in->due;
}

bool input_expire(struct input *in, usec_t now, struct input_event *out)
{
    enum input_state state = in->state;
    *out = (struct input_event){.kind = INPUT_NOTHING};
    if (now < in->due)
        return false;
    input_reset(in);
    if (state == INPUT_ESCAPE || state == INPUT_ESCAPES)
        emit(out, UI_KEY_ESC);
    if (state == INPUT_ESCAPES)
        go(in, INPUT_ESCAPE, now);
    if (state == INPUT_PASTE) {
        in->paste_cut = true;
        out->kind = INPUT_PASTED;
    }
    return true;
}
