/* SPDX-License-Identifier: MIT */
/* Recorded decisions: days of the brain in virtual time, each decision and journal line with its time and
 * numbers, against the record in fixtures/decisions.txt. A step that repeats the decision before it with
 * other numbers has no line of its own, but counts in the sum at the end of its minute. `make golden` writes
 * the record anew: say in the commit which decisions differ and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"
#include <math.h>

#define SEC    USEC_PER_SEC
#define RECORD "tests/unit/fixtures/decisions.txt"

enum deed {
    DO_END,
    DO_LEVEL,  /* the load from now on, in CPU percent */
    DO_NOISE,  /* its deviation, in percent */
    DO_RAMP,   /* the load grows by so much a minute */
    DO_BLIND,  /* 1: nothing is measured */
    DO_BOOT,   /* seconds until ready */
    DO_FAIL,   /* 1: starts fail */
    DO_LEAP,   /* the machine sleeps for so many seconds */
    DO_CRASH,  /* instance */
    DO_SICK,   /* instance */
    DO_HEALED, /* instance */
    DO_SILENT, /* instance */
    DO_SCALE,
    DO_MANUAL,
    DO_AUTO,
    DO_DRAIN,
    DO_RESTART,
    DO_KILL,
    DO_ROLL,
    DO_MINIMUM,
    DO_MAXIMUM,
    DO_STEP, /* max_step */
    DO_STRATEGY,
    DO_STUCK, /* 1: a count target does not follow */
    DO_STOP,
};

struct act {
    int at; /* seconds */
    enum deed deed;
    int number;
};

struct scenario {
    const char *name;
    int span; /* seconds */
    struct act acts[14];
    unsigned seed;
    bool counts; /* a target that takes a count */
    bool dry;
};

static const struct scenario scenarios[] = {
    {"idle", 120, {{0}}, 42, false, false},
    {"saturated and idle again", 300, {{0, DO_LEVEL, 1000}, {100, DO_LEVEL, 0}}, 42, false, false},
    {"slow starts", 240, {{0, DO_LEVEL, 1000}, {0, DO_BOOT, 8}}, 42, false, false},
    {"ramp up and down", 900, {{0, DO_RAMP, 30}, {420, DO_RAMP, -30}}, 42, false, false},
    {"noise about the threshold",
     1800,
     {{0, DO_LEVEL, 70}, {0, DO_NOISE, 20}, {0, DO_MAXIMUM, 20}},
     70,
     false,
     false},
    {"noise, tracking",
     1800,
     {{0, DO_STRATEGY, 1}, {0, DO_LEVEL, 140}, {0, DO_NOISE, 20}, {0, DO_MAXIMUM, 20}},
     9,
     false,
     false},
    {"a scale-in that is undone",
     3600,
     {{0, DO_LEVEL, 30}, {0, DO_NOISE, 20}, {0, DO_MAXIMUM, 20}, {1800, DO_LEVEL, 20}},
     5,
     false,
     false},
    {"tracking jumps",
     400,
     {{0, DO_STRATEGY, 1},
      {0, DO_MAXIMUM, 10},
      {0, DO_STEP, 10},
      {0, DO_LEVEL, 200},
      {120, DO_LEVEL, 330},
      {240, DO_LEVEL, 30}},
     42,
     false,
     false},
    {"no data, and data again",
     900,
     {{0, DO_LEVEL, 130}, {60, DO_BLIND, 1}, {61, DO_LEVEL, 0}, {660, DO_BLIND, 0}},
     42,
     false,
     false},
    {"a gap",
     200,
     {{0, DO_LEVEL, 20}, {30, DO_LEVEL, 100}, {33, DO_LEAP, 20}, {100, DO_LEAP, 300}},
     42,
     false,
     false},
    {"hopeless starts",
     400,
     {{0, DO_FAIL, 1}, {200, DO_RESTART, 1}, {260, DO_FAIL, 0}, {270, DO_RESTART, 1}},
     42,
     false,
     false},
    {"crashes and sickness",
     400,
     {{0, DO_MINIMUM, 2},
      {0, DO_LEVEL, 60},
      {30, DO_CRASH, 1},
      {60, DO_SICK, 2},
      {90, DO_HEALED, 2},
      {120, DO_SILENT, 1},
      {240, DO_SICK, 1},
      {241, DO_SICK, 2},
      {300, DO_HEALED, 2}},
     42,
     false,
     false},
    {"the operator",
     1500,
     {{5, DO_SCALE, 3},
      {30, DO_SCALE, 9},
      {330, DO_LEVEL, 1000},
      {420, DO_SCALE, 4},
      {480, DO_AUTO, 0},
      {540, DO_MANUAL, 0},
      {550, DO_SCALE, 2},
      {700, DO_AUTO, 0},
      {800, DO_DRAIN, 3},
      {900, DO_KILL, 1},
      {1000, DO_ROLL, 0},
      {1100, DO_LEVEL, 20},
      {1300, DO_STOP, 0}},
     42,
     false,
     false},
    {"bounds move",
     600,
     {{0, DO_LEVEL, 80},
      {60, DO_MINIMUM, 4},
      {120, DO_MINIMUM, 1},
      {121, DO_MAXIMUM, 2},
      {240, DO_MAXIMUM, 9},
      {300, DO_STEP, 3},
      {301, DO_LEVEL, 700},
      {420, DO_STRATEGY, 1},
      {430, DO_LEVEL, 150}},
     42,
     false,
     false},
    {"zero allowed",
     600,
     {{0, DO_MINIMUM, 0}, {60, DO_SCALE, 1}, {80, DO_LEVEL, 2}, {420, DO_LEVEL, 0}},
     42,
     false,
     false},
    {"dry run", 120, {{0, DO_LEVEL, 1000}}, 42, false, true},
    {"a count",
     900,
     {{0, DO_LEVEL, 1000}, {200, DO_LEVEL, 250}, {500, DO_SCALE, 9}, {850, DO_AUTO, 0}},
     1,
     true,
     false},
    {"a count, tracking",
     1200,
     {{0, DO_STRATEGY, 1},
      {0, DO_MAXIMUM, 30},
      {0, DO_STEP, 30},
      {0, DO_LEVEL, 600},
      {120, DO_NOISE, 10},
      {300, DO_LEVEL, 200},
      {600, DO_LEVEL, 900}},
     3,
     true,
     false},
    {"a count that does not follow",
     600,
     {{0, DO_LEVEL, 1000}, {20, DO_STUCK, 1}, {200, DO_BLIND, 1}, {300, DO_BLIND, 0}, {400, DO_STUCK, 0}},
     1,
     true,
     false},
    {"a count, dry", 60, {{0, DO_LEVEL, 1000}}, 1, true, true},
};

struct record {
    const struct scenario *scenario;
    struct world *world;
    FILE *out;
    double level, ramp; /* CPU percent; a minute */
    int replicas;       /* of a count target */
    bool stuck;
    uint64_t sum; /* of the lines of this minute */
    uint64_t seq; /* of the newest event that was written */
    struct decision before;
};

static double level_of(const struct world *w)
{
    return w->level;
}

static void line(struct record *r, const char *text)
{
    const struct world *w = r->world;
    fprintf(r->out, "%8.1f %s\n", (double)(w->now - USEC_PER_HOUR) / 1e6, text);
}

static void add_to_sum(struct record *r, const char *text)
{
    for (; *text; text++)
        r->sum = (r->sum ^ (unsigned char)*text) * 1099511628211ULL;
}

static void write_events(struct record *r, const struct snapshot *s)
{
    char text[JOURNAL_TEXT_MAX + 16];
    for (int i = 0; i < s->journal_count; i++) {
        const struct journal_entry *e = &s->journal[i];
        if (e->seq <= r->seq)
            continue;
        r->seq = e->seq;
        if (e->kind == JOURNAL_DECISION && e->decision.verdict != VERDICT_MANUAL)
            continue;
        journal_entry_format(e, text, sizeof text);
        line(r, text);
    }
}

static void write_step(struct record *r)
{
    const struct snapshot *s = world_look(r->world);
    const struct outlook *o = &s->outlook;
    char text[600], sums[200];
    write_events(r, s);
    decision_line(&s->last, text, sizeof text);
    if (!decision_same(&s->last, &r->before))
        line(r, text);
    r->before = s->last;
    snprintf(sums, sizeof sums, "%.3f %.3f %lld/%lld %lld/%lld %lld %lld %d %d", o->value, o->mean,
             (long long)o->above_for, (long long)o->above_need, (long long)o->below_for,
             (long long)o->below_need, (long long)o->cooldown_up_left, (long long)o->cooldown_down_left,
             s->desired, s->ready);
    add_to_sum(r, text);
    add_to_sum(r, sums);
}

static void command(struct record *r, enum command_kind kind, int number)
{
    struct command c = {.id = 1, .kind = kind, .count = number, .instance = number};
    struct answer answer = {0};
    char text[ANSWER_TEXT_MAX + 32];
    assert_true(engine_command(r->world->engine, &c, &answer, r->world->now));
    if (!r->scenario->counts)
        world_take_actions(r->world);
    snprintf(text, sizeof text, "%s: %s", answer.accepted ? "accepted" : "refused", answer.text);
    line(r, text);
}

static bool command_of(struct record *r, const struct act *act)
{
    static const enum command_kind kinds[] = {
        [DO_SCALE] = CMD_SCALE,
        [DO_MANUAL] = CMD_MANUAL,
        [DO_AUTO] = CMD_AUTO,
        [DO_DRAIN] = CMD_INSTANCE_DRAIN,
        [DO_RESTART] = CMD_INSTANCE_RESTART,
        [DO_KILL] = CMD_INSTANCE_KILL,
        [DO_ROLL] = CMD_ROLL,
    };
    if (act->deed >= sizeof kinds / sizeof *kinds || kinds[act->deed] == CMD_NONE)
        return false;
    command(r, kinds[act->deed], act->number);
    return true;
}

static bool setting(struct record *r, const struct act *act)
{
    struct config_scaling *c = &r->world->config.scaling;
    int *field = act->deed == DO_MINIMUM    ? &c->min_instances
                 : act->deed == DO_MAXIMUM  ? &c->max_instances
                 : act->deed == DO_STEP     ? &c->max_step
                 : act->deed == DO_STRATEGY ? &c->strategy
                                            : NULL;
    if (!field)
        return false;
    *field = act->number;
    engine_configure(r->world->engine, &r->world->config, r->world->now);
    return true;
}

static void act_on_world(struct record *r, const struct act *act)
{
    struct world *w = r->world;
    switch (act->deed) {
    case DO_LEVEL:
        r->level = act->number;
        break;
    case DO_RAMP:
        r->ramp = act->number;
        break;
    case DO_NOISE:
        w->noise = act->number / 100.0;
        break;
    case DO_BLIND:
        w->blind = act->number;
        break;
    case DO_BOOT:
        w->boot = act->number * SEC;
        break;
    case DO_FAIL:
        w->start_fails = act->number;
        break;
    case DO_STUCK:
        r->stuck = act->number;
        break;
    case DO_LEAP:
        w->now += act->number * SEC;
        w->next_step = w->now;
        break;
    case DO_CRASH:
        world_crash(w, act->number, "killed by SIGKILL");
        break;
    case DO_SICK:
        world_event(w, 0, EVENT_UNHEALTHY, act->number, "status 500");
        break;
    case DO_HEALED:
        world_event(w, 0, EVENT_HEALTHY, act->number, "");
        break;
    case DO_SILENT:
        world_silence(w, act->number);
        break;
    case DO_STOP:
        engine_stop(w->engine, w->now);
        break;
    default:
        fail_msg("a deed without a row");
    }
}

static void act_due(struct record *r, int second)
{
    for (const struct act *act = r->scenario->acts; act->deed; act++)
        if (act->at == second && !command_of(r, act) && !setting(r, act))
            act_on_world(r, act);
    r->level += r->ramp / 60;
    r->world->level = r->level;
}

/* One second of a target that takes a count, and follows in the same second unless it is stuck. */
static void count_second(struct record *r)
{
    struct world *w = r->world;
    double load = w->level * (1 + w->noise * world_gauss(w));
    struct sample s = {.at = w->now, .host_cpu_pct = NAN, .rpm = NAN, .replicas = r->replicas};
    struct action action;
    s.cpu_pct = fmin(100, fmax(0, load) / r->replicas);
    engine_step(w->engine, w->blind ? NULL : &s, w->now);
    while (engine_next_action(w->engine, &action))
        if (!r->stuck)
            r->replicas = action.count;
}

static void second(struct record *r, int at)
{
    act_due(r, at);
    if (r->scenario->counts)
        count_second(r);
    else
        world_run(r->world, SEC);
    write_step(r);
    if (r->scenario->counts)
        r->world->now += SEC;
    if (at % 60 == 59)
        fprintf(r->out, "         minute %d: %016llx\n", at / 60 + 1, (unsigned long long)r->sum);
}

static void play(const struct scenario *scenario, FILE *out)
{
    struct record r = {.scenario = scenario, .out = out, .replicas = 3, .sum = 14695981039346656037ULL};
    r.world = world_new();
    r.world->demand = level_of;
    r.world->random.state = scenario->seed;
    world_begin(r.world);
    if (scenario->counts)
        r.world->engine = engine_init(r.world->engine, &r.world->config, TARGET_COUNT, 1, r.world->now);
    engine_set_dry_run(r.world->engine, scenario->dry);
    fprintf(out, "%s\n", scenario->name);
    for (int at = 0; at < scenario->span; at++)
        second(&r, at);
    world_free(r.world);
}

static char *record(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        play(&scenarios[i], out);
    fclose(out);
    return text;
}

static void record_path(char *out, size_t size)
{
    const char *source = getenv("srcdir");
    snprintf(out, size, "%s/%s", source ? source : ".", RECORD);
}

static char *record_read(void)
{
    char path[1024], *text = NULL;
    size_t size = 0;
    record_path(path, sizeof path);
    FILE *in = fopen(path, "r"), *copy = open_memstream(&text, &size);
    assert_non_null(copy);
    for (int c; in && (c = getc(in)) != EOF;)
        putc(c, copy);
    if (in)
        fclose(in);
    fclose(copy);
    return text;
}

static void test_decisions_are_those_of_the_record(void **state)
{
    char *now = record(), *before = record_read(), *a = now, *b = before;
    int number = 1, differs;
    (void)state;
    for (; *a && *a == *b; a++, b++)
        number += *a == '\n';
    differs = *a != *b;
    while (a > now && a[-1] != '\n')
        a--, b--;
    if (differs)
        print_message("%s, line %d\nwas %.*s\nis  %.*s\n", RECORD, number, (int)strcspn(b, "\n"), b,
                      (int)strcspn(a, "\n"), a);
    free(now);
    free(before);
    assert_false(differs);
}

static int write_record(void)
{
    char path[1024], *text = record();
    record_path(path, sizeof path);
    FILE *out = fopen(path, "w");
    int failed = !out || fputs(text, out) < 0;
    if (out)
        failed |= fclose(out) != 0;
    free(text);
    return failed;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_decisions_are_those_of_the_record)};
    if (argc > 1 && strcmp(argv[1], "--write") == 0)
        return write_record();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
