/* SPDX-License-Identifier: MIT */
/* The demo application: pages that burn CPU, wait, count and misbehave. Pages run on many threads at once. */
#ifndef APP_DEMO_H
#define APP_DEMO_H
#include "app/cli.h"
#include "app/server.h"

struct demo;

extern const struct server_page demo_pages[]; /* their context is a struct demo */

/* NULL: out of memory. The options stay the caller's and must outlive it. */
struct demo *demo_new(const struct app_options *options);
void demo_free(struct demo *demo); /* after the server has stopped */

/* Carries out what is due by time alone, such as --crash-after 30s; when it wants to be called again, or
 * USEC_NEVER. There may be no demo: NULL. */
usec_t demo_step(struct demo *demo, usec_t now);

#endif
