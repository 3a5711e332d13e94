/* SPDX-License-Identifier: MIT */
/* Addresses and networks of both families: which hold what, and what is none. */
#include "base/networks.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool have(const char *list, const char *address)
{
    struct networks networks;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    char err[256];
    if (!networks_parse(&networks, list, err, sizeof err))
        fail_msg("%s", err);
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        return networks_have(&networks, (struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    return networks_have(&networks, (struct sockaddr *)&v6);
}

static void networks_match_by_their_bits(void **state)
{
    (void)state;
    assert_false(have("", "127.0.0.1"));
    assert_true(have("127.0.0.1", "127.0.0.1"));
    assert_false(have("127.0.0.1", "127.0.0.2"));
    assert_true(have("10.0.0.0/8, 192.168.4.0/22", "192.168.7.255"));
    assert_false(have("10.0.0.0/8, 192.168.4.0/22", "192.168.8.0"));
    assert_true(have("0.0.0.0/0", "8.8.8.8"));
    assert_false(have("0.0.0.0/0", "::1"));
    assert_true(have("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(have("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(have("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(have("::ffff:10.0.0.0/104", "10.1.2.3"));
}

static void what_is_no_network_is_named(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "example.org",
        "10.0.0.0/33",
        "10.0.0.0/",
        "::1/129",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "1.2.3",
        "/8",
        "::1/x",
        "::1/0x1",
        "1.2.3.4/8/8",
        "10.0.0.0/0000",
        "2001:0db8:0000:0000:0000:0000:255.255.255.255/128/and-more-than-any-address-can-have"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct networks networks;
        char list[128], err[256] = "";
        snprintf(list, sizeof list, "::1,%s , ::2", cases[i]);
        assert_false(networks_parse(&networks, list, err, sizeof err));
        assert_non_null(strstr(err, cases[i]));
    }
}

static void there_is_room_for_so_many(void **state)
{
    (void)state;
    struct networks networks;
    char list[4 * (NETWORKS_MAX + 1) + 1] = "", err[256] = "";
    for (int i = 0; i < NETWORKS_MAX; i++)
        strcat(list, "::1,");
    assert_true(networks_parse(&networks, list, err, sizeof err));
    assert_int_equal(networks.count, NETWORKS_MAX);
    strcat(list, "::2");
    assert_false(networks_parse(&networks, list, err, sizeof err));
    assert_string_equal(err, "more than 32 networks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_match_by_their_bits),
        cmocka_unit_test(what_is_no_network_is_named),
        cmocka_unit_test(there_is_room_for_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
