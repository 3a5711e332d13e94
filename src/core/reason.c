/* SPDX-License-Identifier: MIT */
/* The sentences for decisions: plain words with marks for the numbers, which one short interpreter fills in.
 * Nothing is kept. */
#include "core/reason.h"
#include "core/text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A reason that says nothing would be a decision that nobody can explain. */
#define CHECK(code, word, sentence)                                                                          \
    _Static_assert(sizeof word > 1 && sizeof sentence > 1, "a reason needs a word and a sentence");
REASONS(CHECK)
#undef CHECK

static const char *const sentences[REASON_COUNT] = {[REASON_NONE] = "",
#define SENTENCE(code, word, sentence) [REASON_##code] = sentence,
                                                    REASONS(SENTENCE)
#undef SENTENCE
};

const char *const reason_words[REASON_COUNT] = {[REASON_NONE] = "none",
#define WORD(code, word, ...) [REASON_##code] = word,
                                                REASONS(WORD)
#undef WORD
};

static void format_span(const struct reason *r, char mark, char *out, size_t size)
{
    char span[24];
    if (mark == 'f' && r->span < USEC_PER_SEC)
        return;
    if (mark == 'p' || mark == 'w')
        span_format((usec_t)r->other, span, sizeof span);
    else
        span_format(r->span, span, sizeof span);
    if (mark == 'w')
        snprintf(out, size, "%s%s", r->other > 0 ? span : "", r->other > 0 ? " " : "");
    else if (mark == 'p')
        snprintf(out, size, "%.0f/%s", floor((double)r->span / (double)USEC_PER_SEC), span);
    else
        snprintf(out, size, "%s%s", mark == 'f' ? " for " : "", span);
}

static void format_mark(const struct reason *r, char mark, char *out, size_t size)
{
    switch (mark) {
    case 's':
        snprintf(out, size, "%s", signal_names[r->signal]);
        return;
    case 'c':
        snprintf(out, size, "%c", r->value < r->limit ? '<' : '>');
        return;
    case 'v':
        signal_format(r->signal, r->value, r->limit, false, out, size);
        return;
    case 'l':
    case 'b':
        signal_format(r->signal, r->limit, r->value, mark == 'b', out, size);
        return;
    case 'o':
    case 'B':
        signal_format(r->signal, r->other, NAN, mark == 'B', out, size);
        return;
    case 'V':
        signal_format(SIGNAL_NONE, r->value, r->limit, true, out, size);
        return;
    case 'L':
        signal_format(SIGNAL_NONE, r->limit, r->value, true, out, size);
        return;
    case 'O':
        signal_format(SIGNAL_NONE, r->other, NAN, true, out, size);
        return;
    default:
        format_span(r, mark, out, size);
    }
}

int reason_format(const struct reason *reason, char *out, size_t size)
{
    const char *t = (unsigned)reason->code < REASON_COUNT ? sentences[reason->code] : "";
    struct text_out o = text_out(out, size);
    for (; *t; t++) {
        char text[48] = {*t};
        if (*t == '$') {
            text[0] = '\0';
            format_mark(reason, *++t, text, sizeof text);
        }
        text_put(&o, text);
    }
    return (int)o.length;
}
