/* SPDX-License-Identifier: MIT */
/* What options become in the data path. */
#include "balance/settings.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void a_bad_network_is_refused(void **state)
{
    (void)state;
    static struct config config;
    static struct settings settings;
    char err[CONFIG_ERROR_SIZE] = "";
    config_init(&config);
    snprintf(config.balancer.trusted_proxies, sizeof config.balancer.trusted_proxies, "::1, example.org");
    assert_false(settings_from(&settings, &config.balancer, err, sizeof err));
    assert_non_null(strstr(err, "trusted_proxies: 'example.org'"));
}

static void limits_follow_the_size_of_a_head(void **state)
{
    (void)state;
    static struct config config;
    static struct settings settings;
    char err[CONFIG_ERROR_SIZE];
    config_init(&config);
    config.balancer.max_header_size = 2048;
    assert_true(settings_from(&settings, &config.balancer, err, sizeof err));
    assert_int_equal(settings.limits.head, 2048);
    assert_true(settings.limits.line <= 2048 && settings.limits.field <= 2048);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_network_is_refused),
        cmocka_unit_test(limits_follow_the_size_of_a_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
