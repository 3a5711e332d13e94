/* SPDX-License-Identifier: MIT */
/* The API of the simulated remote application, with its errors. Pages run on many threads at once. */
#ifndef APP_FLEET_API_H
#define APP_FLEET_API_H
#include "app/cli.h"
#include "app/server.h"

struct fleet_api;

extern const struct server_page fleet_api_pages[]; /* their context is a struct fleet_api */

/* NULL: out of memory. The options stay the caller's and must outlive it. */
struct fleet_api *fleet_api_new(const struct app_options *options);
void fleet_api_free(struct fleet_api *fleet); /* after the server has stopped */

#endif
