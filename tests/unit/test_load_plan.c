/* SPDX-License-Identifier: MIT */
/* What becomes of the words of the command line: where a URL leads and what is asked there. */
#include "load/plan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct load_options options;

/* NULL with the exit status when the URL is refused. */
static struct load_plan *plan_of(const char *url, int *status)
{
    char name[] = "ascale-load", option[] = "--url", text[128];
    char *argv[] = {name, option, text, NULL};
    assert_true(strlen(url) < sizeof text);
    strcpy(text, url);
    assert_int_equal(load_options_read(&options, 3, argv), -1);
    return load_plan_new(&options, status);
}

static void urls_lead_where_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host, *port, *asks;
        bool tls;
    } cases[] = {
        {"http://127.0.0.1:8000/a?b#c", "127.0.0.1", "8000", "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n",
         false},
        {"http://127.0.0.1", "127.0.0.1", "80", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", false},
        {"https://127.0.0.1?q", "127.0.0.1", "443", "GET /?q HTTP/1.1\r\nHost: 127.0.0.1\r\n", true},
        {"http://[::1]:81/", "::1", "81", "GET / HTTP/1.1\r\nHost: [::1]:81\r\n", false},
        {"HTTP://127.0.0.1/", "127.0.0.1", "80", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", false},
        {"hTTpS://127.0.0.1/", "127.0.0.1", "443", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", true},
        {"http://127.0.0.1:/x", "127.0.0.1", "80", "GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n", false},
        {"https://127.0.0.1:", "127.0.0.1", "443", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", true},
        {"http://[::1]:/", "::1", "80", "GET / HTTP/1.1\r\nHost: [::1]\r\n", false},
        {"http://127.0.0.1/a@b", "127.0.0.1", "80", "GET /a@b HTTP/1.1\r\n", false},
        {"http://127.0.0.1/npm/vue@3", "127.0.0.1", "80", "GET /npm/vue HTTP/1.1\r\n", false},
        {"http://127.0.0.1/npm/vue@3@1", "127.0.0.1", "80", "GET /npm/vue@3 HTTP/1.1\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status;
        struct load_plan *plan = plan_of(cases[i].url, &status);
        if (!plan)
            fail_msg("%s: refused with %d", cases[i].url, status);
        const struct load_origin *origin = &plan->origins[plan->targets[0].origin];
        if (strcmp(origin->host, cases[i].host) != 0 || strcmp(origin->port, cases[i].port) != 0 ||
            origin->tls != cases[i].tls)
            fail_msg("%s: to %s port %s", cases[i].url, origin->host, origin->port);
        if (strncmp(plan->targets[0].request, cases[i].asks, strlen(cases[i].asks)) != 0)
            fail_msg("%s: %.80s", cases[i].url, plan->targets[0].request);
        load_plan_free(plan);
    }
}

static void what_is_no_url_is_a_usage_error(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "127.0.0.1",
        "http:/127.0.0.1/",
        "ftp://127.0.0.1/",
        "http://",
        "http://:80/",
        "http://:/",
        "http://127.0.0.1:x/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
        "http://[::1/",
        "http://[::1]x/",
        "http://[]/",
        "http://127.0.0.1::/",
        "http://user:password@127.0.0.1/",
        "http://@127.0.0.1/",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        int status = 0;
        struct load_plan *plan = plan_of(urls[i], &status);
        if (plan || status != 2)
            fail_msg("%s: taken, or refused with %d", urls[i], status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_lead_where_they_say),
        cmocka_unit_test(what_is_no_url_is_a_usage_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
