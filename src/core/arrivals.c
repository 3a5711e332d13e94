/* SPDX-License-Identifier: MIT */
/* Every shape is walked as a chain of straight pieces of rate over time. A request is due where the area
 * under the rate since the last one reaches its gap: 1 for even spacing, an exponential draw for Poisson.
 * That is exact for any rate, zero included, and the draws do not depend on the shape. */
#include "core/arrivals.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FOREVER   1e300 /* end of a piece that has none */
#define NEVER_US  4e18  /* later than this nothing is due: it would not fit a usec_t */
#define SINE_CUTS 64    /* straight pieces a wave; the area errs by less than 0.1% */

/* Rate factor from a at time from to b at time to, microseconds since the start. */
struct piece {
    double from, to;
    double a, b;
};

/* Where at falls in a cycle: the start of the cycle it is in. */
static double cycle_start(double at, double period)
{
    return floor(at / period) * period;
}

static double wave(const struct arrivals_shape *shape, double at)
{
    return shape->low + (1 - shape->low) * (1 - cos(2 * M_PI * at / (double)shape->period)) / 2;
}

static struct piece sine_piece(const struct arrivals_shape *shape, double at)
{
    double width = (double)shape->period / SINE_CUTS;
    double from = floor(at / width) * width, to = from + width;
    if (to <= at) { /* rounding put at on the far edge */
        from = to;
        to += width;
    }
    return (struct piece){from, to, wave(shape, from), wave(shape, to)};
}

static struct piece ramp_piece(const struct arrivals_shape *shape, double at)
{
    double over = (double)shape->period;
    if (at < over)
        return (struct piece){0, over, shape->low, 1};
    return (struct piece){over, FOREVER, 1, 1};
}

static struct piece step_piece(const struct arrivals_shape *shape, double at)
{
    double step = (double)shape->at;
    if (at < step)
        return (struct piece){0, step, shape->low, shape->low};
    return (struct piece){step, FOREVER, 1, 1};
}

static struct piece spike_piece(const struct arrivals_shape *shape, double at)
{
    double base = shape->period > 0 ? cycle_start(at, (double)shape->period) : 0;
    double up = base + (double)shape->at, down = up + (double)shape->length;
    double end = shape->period > 0 ? base + (double)shape->period : FOREVER;
    if (at < up)
        return (struct piece){base, up, shape->low, shape->low};
    if (at < down)
        return (struct piece){up, down < end ? down : end, 1, 1};
    return (struct piece){down, end, shape->low, shape->low};
}

/* The last point at or before a time within the trace. */
static size_t point_before(const struct arrivals_shape *shape, double at)
{
    size_t low = 0, high = shape->count - 1;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if ((double)shape->points[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static struct piece trace_piece(const struct arrivals_shape *shape, double at)
{
    double base = cycle_start(at, (double)shape->points[shape->count - 1].at);
    const struct arrivals_point *p = &shape->points[point_before(shape, at - base)];
    return (struct piece){base + (double)p[0].at, base + (double)p[1].at, p[0].factor, p[1].factor};
}

/* The piece that holds at: from <= at < to. */
static struct piece piece_at(const struct arrivals_shape *shape, double at)
{
    switch (shape->kind) {
    case ARRIVALS_RAMP:
        return ramp_piece(shape, at);
    case ARRIVALS_SINE:
        return sine_piece(shape, at);
    case ARRIVALS_STEP:
        return step_piece(shape, at);
    case ARRIVALS_SPIKE:
        return spike_piece(shape, at);
    case ARRIVALS_TRACE:
        return trace_piece(shape, at);
    case ARRIVALS_CONSTANT:
        break;
    }
    return (struct piece){0, FOREVER, 1, 1};
}

static double slope(const struct piece *piece)
{
    return piece->a == piece->b ? 0 : (piece->b - piece->a) / (piece->to - piece->from);
}

double arrivals_factor(const struct arrivals_shape *shape, usec_t at)
{
    struct piece piece = piece_at(shape, (double)at);
    return piece.a + slope(&piece) * ((double)at - piece.from);
}

int64_t arrivals_turns_below(const struct arrivals_turns *turns, int64_t count)
{
    int64_t own = (turns->cycle - turns->first + turns->step - 1) / turns->step;
    int64_t rest = count % turns->cycle - turns->first;
    return count / turns->cycle * own + (rest > 0 ? (rest + turns->step - 1) / turns->step : 0);
}

/* Moves on to the next turn; how many requests of the whole it is away. */
static int64_t take_turn(struct arrivals *stream)
{
    const struct arrivals_turns *turns = &stream->plan.turns;
    int64_t before = stream->turn;
    stream->turn = before < 0 ? turns->first : before + turns->step;
    if (stream->turn < turns->cycle)
        return before < 0 ? turns->first : turns->step;
    stream->turn = turns->first;
    return turns->cycle - before + turns->first;
}

/* Requests' worth of area until the next one. */
static double next_gap(struct arrivals *stream)
{
    if (stream->left > 0) {
        double left = stream->left;
        stream->left = 0;
        return left;
    }
    if (stream->plan.timing == ARRIVALS_POISSON)
        return -log1p(-random_unit(&stream->random));
    return (double)take_turn(stream) / stream->whole;
}

void arrivals_init(struct arrivals *stream, const struct arrivals_plan *plan, usec_t start)
{
    *stream = (struct arrivals){.plan = *plan, .start = start, .random = {plan->seed}, .turn = -1};
    struct arrivals_turns *turns = &stream->plan.turns;
    if (turns->cycle == 0)
        *turns = (struct arrivals_turns){1, 1, 0};
    stream->whole = (double)turns->cycle / (double)arrivals_turns_below(turns, turns->cycle);
}

/* More pieces in a row without any area than a shape has pieces: it has none anywhere. */
static size_t pieces_of(const struct arrivals_shape *shape)
{
    return shape->kind == ARRIVALS_TRACE ? shape->count + 1 : SINE_CUTS + 1;
}

/* After which a shape is the same again; 0: it never is. */
static double cycle_of(const struct arrivals_shape *shape)
{
    switch (shape->kind) {
    case ARRIVALS_SINE:
    case ARRIVALS_SPIKE:
        return (double)shape->period;
    case ARRIVALS_TRACE:
        return (double)shape->points[shape->count - 1].at;
    default:
        return 0;
    }
}

static double walk_area(const struct arrivals_shape *shape, double at, double end)
{
    double area = 0;
    while (at < end) {
        struct piece piece = piece_at(shape, at);
        double to = piece.to < end ? piece.to : end, rise = slope(&piece);
        area += (piece.a + rise * ((at + to) / 2 - piece.from)) * (to - at);
        at = to;
    }
    return area;
}

/* Most of a long gap goes by in whole cycles, which need not be walked one by one. Returns what is left of
 * it.
 */
static double skip_cycles(struct arrivals *stream, double need)
{
    double cycle = cycle_of(&stream->plan.shape);
    if (cycle <= 0 || need <= 2 * cycle) /* the area of one is at most as long as it is */
        return need;
    double area = walk_area(&stream->plan.shape, 0, cycle), cycles = floor(need / area) - 1;
    if (!(area > 0 && cycles > 0))
        return need;
    stream->at_us += cycles * cycle;
    return need - cycles * area;
}

usec_t arrivals_next(struct arrivals *stream)
{
    double per_us = stream->plan.rate_rps / 1e6;
    if (!(per_us > 0))
        return USEC_NEVER;
    double need = skip_cycles(stream, next_gap(stream) / per_us); /* in microseconds at factor 1 */
    size_t barren = pieces_of(&stream->plan.shape);
    while (barren > 0) {
        struct piece piece = piece_at(&stream->plan.shape, stream->at_us);
        double rise = slope(&piece), here = piece.a + rise * (stream->at_us - piece.from);
        double left = piece.to - stream->at_us;
        double area = (here + piece.b) / 2 * left;
        if (need < area) { /* even a gap of nothing waits for a rate above 0 */
            stream->at_us += need > 0 ? 2 * need / (here + sqrt(here * here + 2 * rise * need)) : 0;
            return stream->at_us < NEVER_US ? stream->start + (usec_t)llround(stream->at_us) : USEC_NEVER;
        }
        if (piece.to >= FOREVER)
            break;
        barren = area > 0 ? pieces_of(&stream->plan.shape) : barren - 1;
        need -= area;
        stream->at_us = piece.to;
    }
    return USEC_NEVER;
}

/* Under the factor, from a time to another since the start. Whole cycles are walked once, however many. */
static double area_between(const struct arrivals_shape *shape, double at, double end)
{
    double cycle = cycle_of(shape), area = 0;
    if (cycle > 0 && end - at > 2 * cycle) {
        double cycles = floor((end - at) / cycle);
        area = cycles * walk_area(shape, 0, cycle);
        at += cycles * cycle;
    }
    return area + walk_area(shape, at, end);
}

double arrivals_mean(const struct arrivals_shape *shape, usec_t from, usec_t to)
{
    return area_between(shape, (double)from, (double)to) / (double)(to - from);
}

usec_t arrivals_end(const struct arrivals_shape *shape)
{
    bool ends = shape->kind == ARRIVALS_SPIKE && shape->period == 0 && shape->low <= 0;
    return ends ? shape->at + shape->length : USEC_NEVER;
}

int64_t arrivals_count(const struct arrivals *stream, usec_t until)
{
    double area = area_between(&stream->plan.shape, stream->at_us, (double)(until - stream->start));
    double gaps = area * stream->plan.rate_rps / 1e6;
    if (stream->plan.timing == ARRIVALS_POISSON)
        return llround(gaps);
    /* One that is due at the very end is not before it. */
    const struct arrivals_turns *turns = &stream->plan.turns;
    int64_t seen = stream->turn + 1;
    int64_t below = (int64_t)ceil(gaps * stream->whole - 1e-6) + (seen > 0 ? seen - 1 : 0);
    return below > seen ? arrivals_turns_below(turns, below) - arrivals_turns_below(turns, seen) : 0;
}

void arrivals_set_rate(struct arrivals *stream, double rate_rps, usec_t now)
{
    double at = fmax((double)(now - stream->start), 0);
    stream->left = area_between(&stream->plan.shape, at, stream->at_us) * stream->plan.rate_rps / 1e6;
    if (!(stream->left > 0))
        stream->turn = -1;
    stream->plan.rate_rps = rate_rps;
    stream->at_us = at;
}

/* Which keys a shape takes, where they go and what they are unless said. */
struct shape_key {
    enum arrivals_shape_kind kind;
    const char *name;
    size_t offset; /* of a usec_t; SIZE_MAX: low */
    usec_t preset;
    double preset_low;
};

static const char *const kind_names[] = {
    [ARRIVALS_CONSTANT] = "constant", [ARRIVALS_RAMP] = "ramp",   [ARRIVALS_SINE] = "sine",
    [ARRIVALS_STEP] = "step",         [ARRIVALS_SPIKE] = "spike", [ARRIVALS_TRACE] = "trace",
};

static const struct shape_key shape_keys[] = {
    {ARRIVALS_RAMP, "low", SIZE_MAX, 0, 0.1},
    {ARRIVALS_RAMP, "over", offsetof(struct arrivals_shape, period), 60 * USEC_PER_SEC, 0},
    {ARRIVALS_SINE, "low", SIZE_MAX, 0, 0.2},
    {ARRIVALS_SINE, "period", offsetof(struct arrivals_shape, period), 2 * USEC_PER_MIN, 0},
    {ARRIVALS_STEP, "low", SIZE_MAX, 0, 0.5},
    {ARRIVALS_STEP, "at", offsetof(struct arrivals_shape, at), 30 * USEC_PER_SEC, 0},
    {ARRIVALS_SPIKE, "low", SIZE_MAX, 0, 0.1},
    {ARRIVALS_SPIKE, "at", offsetof(struct arrivals_shape, at), 10 * USEC_PER_SEC, 0},
    {ARRIVALS_SPIKE, "for", offsetof(struct arrivals_shape, length), 5 * USEC_PER_SEC, 0},
    {ARRIVALS_SPIKE, "every", offsetof(struct arrivals_shape, period), 0, 0},
};

enum {
    SHAPE_KEYS = sizeof shape_keys / sizeof shape_keys[0],
    KINDS = sizeof kind_names / sizeof kind_names[0]
};

static usec_t *duration_field(struct arrivals_shape *shape, const struct shape_key *key)
{
    return (usec_t *)((char *)shape + key->offset);
}

static void preset_shape(struct arrivals_shape *shape)
{
    shape->low = 1;
    for (size_t i = 0; i < SHAPE_KEYS; i++) {
        const struct shape_key *key = &shape_keys[i];
        if (key->kind == shape->kind && key->offset == SIZE_MAX)
            shape->low = key->preset_low;
        else if (key->kind == shape->kind)
            *duration_field(shape, key) = key->preset;
    }
}

static bool set_key(struct arrivals_shape *shape, const struct shape_key *key, const char *value)
{
    if (key->offset != SIZE_MAX) {
        usec_t *duration = duration_field(shape, key);
        return units_parse_duration(value, duration) && *duration <= ARRIVALS_DURATION_MAX;
    }
    double pct;
    if (!units_parse_percent(value, &pct) || pct > 100)
        return false;
    shape->low = pct / 100;
    return true;
}

/* Copies up to the next separator; where to go on, or NULL when the word is too long. */
static const char *take_word(char *word, size_t size, const char *text, const char *separators)
{
    size_t length = strcspn(text, separators);
    if (length >= size)
        return NULL;
    memcpy(word, text, length);
    word[length] = '\0';
    return text + length;
}

static const struct shape_key *find_key(enum arrivals_shape_kind kind, const char *name)
{
    for (size_t i = 0; i < SHAPE_KEYS; i++)
        if (shape_keys[i].kind == kind && strcmp(shape_keys[i].name, name) == 0)
            return &shape_keys[i];
    return NULL;
}

static bool parse_keys(const char *text, struct arrivals_shape *shape, char *error, size_t error_size)
{
    while (*text == ',') {
        char name[16], value[32];
        const struct shape_key *key = NULL;
        const char *next = take_word(name, sizeof name, text + 1, "=,");
        if (next && *next == '=')
            key = find_key(shape->kind, name);
        if (!key) {
            snprintf(error, error_size, "'%s' is no setting of %s", text + 1, kind_names[shape->kind]);
            return false;
        }
        text = take_word(value, sizeof value, next + 1, ",");
        if (!text || !set_key(shape, key, value)) {
            snprintf(error, error_size, "%s=%s: it takes %s", name, next + 1,
                     key->offset == SIZE_MAX ? "0% to 100%" : "a duration such as 30s, at most 1000000000s");
            return false;
        }
    }
    return true;
}

static const char *find_contradiction(const struct arrivals_shape *shape)
{
    if (shape->kind == ARRIVALS_RAMP && shape->period <= 0)
        return "its duration must be above 0";
    if (shape->kind == ARRIVALS_SINE && shape->period < USEC_PER_MSEC)
        return "its period must be 1ms or more"; /* walking its pieces would take longer than they last */
    if (shape->kind == ARRIVALS_SPIKE && shape->period > 0 && shape->at + shape->length > shape->period)
        return "the spike (at + for) is longer than every";
    if (shape->kind == ARRIVALS_SPIKE && shape->low <= 0 && shape->length <= 0)
        return "with low=0 and for=0 nothing would ever be due";
    return NULL;
}

bool arrivals_parse_shape(const char *text, struct arrivals_shape *out, char *error, size_t error_size)
{
    char name[16];
    const char *rest = take_word(name, sizeof name, text, ",");
    int kind = 0;
    while (rest && kind < KINDS && strcmp(kind_names[kind], name) != 0)
        kind++;
    if (!rest || kind == KINDS) {
        snprintf(error, error_size, "no such shape: constant, ramp, sine, step, spike, trace");
        return false;
    }
    *out = (struct arrivals_shape){.kind = (enum arrivals_shape_kind)kind};
    preset_shape(out);
    if (!parse_keys(rest, out, error, error_size))
        return false;
    const char *wrong = find_contradiction(out);
    if (wrong)
        snprintf(error, error_size, "%s: %s", name, wrong);
    return !wrong;
}
