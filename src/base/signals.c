/* SPDX-License-Identifier: MIT */
/* See signals.h. */
#include "base/signals.h"
#include <stdbool.h>
#include <stddef.h>

static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void signals_that_end(sigset_t *out)
{
    sigemptyset(out);
    sigaddset(out, SIGINT);
    sigaddset(out, SIGTERM);
    if (!is_ignored(SIGHUP))
        sigaddset(out, SIGHUP);
}
