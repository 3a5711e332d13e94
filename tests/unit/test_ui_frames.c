/* SPDX-License-Identifier: MIT */
/* What a frame costs a terminal, in bytes: an hour of seconds as an operator would live it (load that comes
 * and goes, axes that change their scale, instances that start, fail and leave, decisions) is drawn on an
 * xterm, and no frame of it may cost more than was promised. */
#include "fake_port.h"
#include "ui/paint.h"
#include "ui/room.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECONDS 3600

static const char *move(int x, int y)
{
    static char text[32];
    snprintf(text, sizeof text, "\033[%d;%dH", y + 1, x + 1);
    return text;
}

static const char *move_column(int x)
{
    static char text[32];
    snprintf(text, sizeof text, "\033[%dG", x + 1);
    return text;
}

static void color_text(char out[PAINT_TEXT_MAX], int color, int base)
{
    if (color >= 8)
        snprintf(out, PAINT_TEXT_MAX, "\033[%d;5;%dm", base + 8, color);
    else if (color >= 0)
        snprintf(out, PAINT_TEXT_MAX, "\033[%dm", base + color);
}

static void xterm_describe(struct paint_terminal *terminal)
{
    static const char *const attrs[PAINT_ATTRS] = {"\033[1m", "\033[2m", "\033[7m", "\033[4m"};
    *terminal = (struct paint_terminal){.reset = "\033(B\033[m",
                                        .clear = "\033[H\033[2J",
                                        .clear_line = "\033[K",
                                        .last_cell = true,
                                        .unicode = true,
                                        .move = move,
                                        .move_column = move_column};
    for (int i = 0; i < PAINT_ATTRS; i++)
        strcpy(terminal->attrs[i], attrs[i]);
    for (int role = 0; role < ROLE_LIMIT; role++)
        for (int selected = 0; selected < 2; selected++) {
            struct paint_style *style = &terminal->styles[role][selected];
            style->style = theme_style(THEME_DARK, 256, (enum role)role, selected);
            color_text(style->fore, style->style.fg, 30);
            color_text(style->back, style->style.bg, 40);
        }
}

/* One second of the application's life. */
struct life {
    struct fake_port fake;
    double level; /* of the load, 0..1 */
    int level_left;
};

static int dice(int sides)
{
    return rand() % sides;
}

static void measure(struct life *life)
{
    struct snapshot *snap = life->fake.snapshot;
    if (life->level_left-- <= 0) {
        life->level = dice(4) ? dice(100) / 100.0 : dice(2) * 20; /* now and then far beyond the axis */
        life->level_left = 5 + dice(120);
    }
    double shake = 0.8 + dice(400) / 1000.0, load = life->level * shake;
    snap->cpu_pct = load > 1 ? 100 : 100 * load;
    snap->outlook.mean = snap->cpu_pct * 0.9;
    snap->rpm = 12000 * load;
    snap->p50_us = (int64_t)(2000 + 20000 * load * load);
    snap->p95_us = 3 * snap->p50_us;
    snap->p99_us = 5 * snap->p50_us + dice(2000);
    snap->error_pct = dice(20) ? 0 : 1.5;
    for (int i = 0; i < snap->instance_count; i++) {
        struct instance_view *instance = &snap->instances[i];
        instance->cpu_pct = snap->cpu_pct + dice(10);
        instance->rpm = snap->rpm / snap->instance_count + dice(50);
        instance->p50_us = snap->p50_us + dice(900);
        instance->p95_us = snap->p95_us + dice(2000);
        instance->error_pct = snap->error_pct;
        instance->in_flight = dice(12);
        instance->mem_bytes += dice(3) << 20;
        if (!dice(3))
            instance->checked_at = snap->at;
        snprintf(instance->last_line, sizeof instance->last_line, "GET /work?n=%d 200 %dms", dice(100000),
                 dice(300));
    }
}

static void entry_add(struct life *life, bool change)
{
    struct snapshot *snap = life->fake.snapshot;
    struct journal_entry *newest = &snap->journal[JOURNAL_MAX - 1];
    uint64_t seq = snap->journal[snap->journal_count - 1].seq + 1;
    if (snap->journal_count == JOURNAL_MAX)
        memmove(snap->journal, snap->journal + 1, sizeof snap->journal - sizeof *newest);
    else
        newest = &snap->journal[snap->journal_count++];
    *newest = (struct journal_entry){.seq = seq, .at = snap->at, .kind = JOURNAL_DECISION};
    newest->decision = (struct decision){.at = snap->at,
                                         .last_at = snap->at,
                                         .repeats = 1,
                                         .verdict = change ? VERDICT_UP : VERDICT_HOLD,
                                         .cause = CAUSE_STRATEGY,
                                         .from = snap->desired,
                                         .to = snap->desired + change};
    decision_add(&newest->decision, (struct reason){.code = change ? REASON_ABOVE_UP : REASON_INSIDE_BAND,
                                                    .signal = SIGNAL_CPU,
                                                    .value = snap->cpu_pct,
                                                    .limit = 30,
                                                    .other = 70,
                                                    .span = 5 * USEC_PER_SEC});
    snap->last = newest->decision;
}

static void states_change(struct life *life)
{
    struct snapshot *snap = life->fake.snapshot;
    struct instance_view *instance = &snap->instances[dice(snap->instance_count)];
    instance->state = (enum instance_state)(1 + dice(INSTANCE_STATE_COUNT - 1));
    instance->state_since = snap->at;
    snprintf(instance->cause, sizeof instance->cause, "%s",
             instance->state == INSTANCE_READY ? "" : "killed by SIGKILL");
    snap->ready = 0;
    for (int i = 0; i < snap->instance_count; i++)
        snap->ready += snap->instances[i].state == INSTANCE_READY;
    snap->desired = 1 + dice(5);
}

static void history_add(struct snapshot *snap, unsigned mark)
{
    if (snap->history_count == HISTORY_MAX)
        memmove(snap->history, snap->history + 1, sizeof snap->history - sizeof *snap->history);
    else
        snap->history_count++;
    snap->history[snap->history_count - 1] = (struct history_point){.at = snap->at,
                                                                    .cpu_pct = (float)snap->cpu_pct,
                                                                    .rpm = (float)snap->rpm,
                                                                    .p50_ms = (float)snap->p50_us / 1000,
                                                                    .p95_ms = (float)snap->p95_us / 1000,
                                                                    .p99_ms = (float)snap->p99_us / 1000,
                                                                    .ready = (short)snap->ready,
                                                                    .desired = (short)snap->desired,
                                                                    .mark = (unsigned char)mark};
}

static void second_pass(struct life *life)
{
    struct snapshot *snap = life->fake.snapshot;
    bool change = !dice(40);
    snap->at += USEC_PER_SEC;
    measure(life);
    if (!dice(30))
        states_change(life);
    if (change || !dice(10))
        entry_add(life, change);
    history_add(snap, change ? VERDICT_UP : VERDICT_HOLD);
    fake_publish(&life->fake);
}

/* usual: what half of the frames may cost; most: what none may exceed, not even the one in which both axes
 * change their scale and everything else changes too. */
struct budget {
    int width, height;
    size_t usual, most;
};

static int by_size(const void *a, const void *b)
{
    size_t left = *(const size_t *)a, right = *(const size_t *)b;
    return (left > right) - (left < right);
}

static void hour_live(const struct budget *budget, size_t sizes[SECONDS])
{
    struct life life = {0};
    struct paint_buffer buffer = {0};
    struct grid shown = {0}, now = {0};
    struct room room;
    static struct paint_terminal terminal;
    xterm_describe(&terminal);
    fake_port_init(&life.fake, "busy");
    assert_true(room_init(&room, &life.fake.port, false, true));
    assert_true(grid_resize(&now, budget->width, budget->height));
    for (int second = -1; second < SECONDS; second++) {
        second_pass(&life);
        room_turn(&room, life.fake.snapshot->at);
        room_draw(&room, &now);
        buffer.used = 0;
        assert_true(paint(&terminal, &shown, &now, second < 0, &buffer));
        if (second >= 0)
            sizes[second] = buffer.used;
    }
    free(buffer.data);
    grid_fini(&shown);
    grid_fini(&now);
    room_fini(&room);
    fake_port_fini(&life.fake);
}

static void no_frame_exceeds_its_budget(void **ctx)
{
    static const struct budget budgets[] = {{120, 40, 1000, 3200}, {80, 24, 500, 1800}};
    static size_t sizes[SECONDS];
    (void)ctx;
    srand(41);
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        hour_live(&budgets[i], sizes);
        qsort(sizes, SECONDS, sizeof *sizes, by_size);
        assert_in_range(sizes[SECONDS / 2], 100, budgets[i].usual);
        assert_in_range(sizes[SECONDS - 1], 100, budgets[i].most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_frame_exceeds_its_budget)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
