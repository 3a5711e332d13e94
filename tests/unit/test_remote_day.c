/* SPDX-License-Identifier: MIT */
/* The shipped remote.ini against the simulated remote application, in virtual time: whatever the hour, the
 * mean CPU of ten minutes stays at the target, and the count does not go to and fro. */
#include "app/fleet_model.h"
#include "control/config_load.h"
#include "core/engine.h"
#include "core/random.h"
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TURN (100 * USEC_PER_MSEC)
#define SPAN (10 * USEC_PER_MIN)
#define LOST_PCT                                                                                             \
    5 /* of the readings: those that four calls, each of which fails one time in five, come to and more */

struct outcome {
    double mean_cpu;
    int reversals, changes;
};

struct day {
    struct fleet_model fleet;
    struct engine *engine;
    struct random random;
    usec_t order_at; /* when the order under way arrives */
    int order;       /* 0: none is */
    int direction;
    struct outcome outcome;
};

static struct config shipped_config(void)
{
    const char *source = getenv("srcdir");
    char file[PATH_MAX], path[PATH_MAX], err[CONFIG_LOAD_ERROR_SIZE];
    static const char *const overrides[] = {"scaling.polling_interval=1s"};
    struct config config;
    snprintf(file, sizeof file, "%s/assets/examples/remote.ini", source ? source : "..");
    struct config_sources sources = {.file = file, .overrides = overrides, .override_count = 1};
    if (!config_load(&sources, &config, path, err, sizeof err))
        fail_msg("%s", err);
    return config;
}

static void deliver(struct day *day, usec_t now)
{
    if (day->order == 0 || now < day->order_at)
        return;
    int direction = day->order > fleet_model_replicas(&day->fleet) ? 1 : -1;
    assert_true(fleet_model_scale(&day->fleet, day->order, now));
    day->outcome.changes++;
    day->outcome.reversals += direction == -day->direction;
    day->direction = direction;
    day->order = 0;
}

static void step(struct day *day, usec_t now)
{
    struct sample sample = {.at = now,
                            .host_cpu_pct = NAN,
                            .rpm = NAN,
                            .cpu_pct = 100 * fleet_model_cpu(&day->fleet, now),
                            .replicas = (int)fleet_model_replicas(&day->fleet)};
    bool lost = 100 * random_unit(&day->random) < LOST_PCT;
    struct action action;
    engine_step(day->engine, lost ? NULL : &sample, now);
    while (engine_next_action(day->engine, &action)) {
        day->order = action.count;
        day->order_at = now + (usec_t)random_below(&day->random, 4) * TURN;
    }
}

static struct outcome live(const struct config *config, int clock_h, uint64_t seed)
{
    struct fleet_settings settings = {.min_demand = 8,
                                      .max_demand = 20,
                                      .speed = 60,
                                      .boot = 30 * USEC_PER_SEC,
                                      .clock = clock_h * USEC_PER_HOUR,
                                      .max_replicas = 1000,
                                      .seed = seed};
    usec_t start = USEC_PER_HOUR, next = start;
    struct day day = {.random = {seed}};
    double sum = 0;
    fleet_model_init(&day.fleet, &settings, 10, start);
    day.engine = engine_init(malloc(engine_size()), config, TARGET_COUNT, seed, start);
    for (usec_t now = start; now < start + SPAN; now += TURN) {
        deliver(&day, now);
        sum += fleet_model_cpu(&day.fleet, now);
        if (now < next)
            continue;
        next += config->scaling.polling_interval;
        step(&day, now);
    }
    free(day.engine);
    day.outcome.mean_cpu = sum / (double)(SPAN / TURN);
    return day.outcome;
}

static void cpu_stays_at_the_target_whatever_the_hour(void **state)
{
    (void)state;
    struct config config = shipped_config();
    for (int clock_h = 0; clock_h < 24; clock_h++)
        for (uint64_t seed = 1; seed <= 5; seed++) {
            struct outcome outcome = live(&config, clock_h, seed);
            if (fabs(outcome.mean_cpu - 0.80) > 0.025 || outcome.reversals > 5)
                fail_msg("from %d h, seed %d: mean %.4f, %d reversals", clock_h, (int)seed, outcome.mean_cpu,
                         outcome.reversals);
        }
}

static void no_fixed_count_stays_at_the_target(void **state)
{
    (void)state;
    struct config config = shipped_config();
    for (int count = 8; count <= 20; count++) {
        double farthest = 0;
        config.scaling.min_instances = config.scaling.max_instances = count;
        for (int clock_h = 0; clock_h < 24; clock_h += 6)
            farthest = fmax(farthest, fabs(live(&config, clock_h, 1).mean_cpu - 0.80));
        assert_true(farthest > 0.10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_stays_at_the_target_whatever_the_hour),
        cmocka_unit_test(no_fixed_count_stays_at_the_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
