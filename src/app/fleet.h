/* SPDX-License-Identifier: MIT */
/* The API of the simulated remote application, with its errors. Pages run on many threads at once. */
#ifndef APP_FLEET_H
#define APP_FLEET_H
#include "app/options.h"
#include "app/server.h"

struct fleet;

extern const struct server_page fleet_pages[]; /* their context is a struct fleet */

/* NULL: out of memory. The options stay the caller's and must outlive it. */
struct fleet *fleet_new(const struct app_options *options);
void fleet_free(struct fleet *fleet); /* after the server has stopped */

#endif
