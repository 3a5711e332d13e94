/* SPDX-License-Identifier: MIT */
/* Whose forwarding headers are believed: addresses and networks of both families, and what is none. */
#include "balance/settings.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool trusts(const char *networks, const char *peer)
{
    static struct config config;
    static struct settings settings;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    char err[CONFIG_ERROR_SIZE];
    config_init(&config);
    snprintf(config.balancer.trusted_proxies, sizeof(config.balancer.trusted_proxies), "%s", networks);
    if (!settings_from(&settings, &config.balancer, err, sizeof(err)))
        fail_msg("%s", err);
    if (inet_pton(AF_INET, peer, &v4.sin_addr) == 1)
        return settings_trust(&settings, (struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, peer, &v6.sin6_addr), 1);
    return settings_trust(&settings, (struct sockaddr *)&v6);
}

static void networks_match_by_their_bits(void **state)
{
    (void)state;
    assert_false(trusts("", "127.0.0.1"));
    assert_true(trusts("127.0.0.1", "127.0.0.1"));
    assert_false(trusts("127.0.0.1", "127.0.0.2"));
    assert_true(trusts("10.0.0.0/8, 192.168.4.0/22", "192.168.7.255"));
    assert_false(trusts("10.0.0.0/8, 192.168.4.0/22", "192.168.8.0"));
    assert_true(trusts("0.0.0.0/0", "8.8.8.8"));
    assert_false(trusts("0.0.0.0/0", "::1"));
    assert_true(trusts("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(trusts("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(trusts("10.0.0.0/8", "::ffff:10.1.2.3"));
}

static void what_is_no_network_is_named(void **state)
{
    (void)state;
    static const char *const cases[] = {"example.org", "10.0.0.0/33", "10.0.0.0/", "::1/129",
                                        "10.0.0.0/-1", "1.2.3",       "/8"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static struct config config;
        static struct settings settings;
        char err[CONFIG_ERROR_SIZE] = "";
        config_init(&config);
        snprintf(config.balancer.trusted_proxies, sizeof(config.balancer.trusted_proxies), "::1,%s",
                 cases[i]);
        assert_false(settings_from(&settings, &config.balancer, err, sizeof(err)));
        assert_non_null(strstr(err, cases[i]));
    }
}

static void limits_follow_the_size_of_a_head(void **state)
{
    (void)state;
    static struct config config;
    static struct settings settings;
    char err[CONFIG_ERROR_SIZE];
    config_init(&config);
    config.balancer.max_header_size = 2048;
    assert_true(settings_from(&settings, &config.balancer, err, sizeof(err)));
    assert_int_equal(settings.limits.head, 2048);
    assert_true(settings.limits.line <= 2048 && settings.limits.field <= 2048);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_match_by_their_bits),
        cmocka_unit_test(what_is_no_network_is_named),
        cmocka_unit_test(limits_follow_the_size_of_a_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
