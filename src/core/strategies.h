/* SPDX-License-Identifier: MIT */
/* THE table of strategies: enum, option and registry follow from it. */
#ifndef CORE_STRATEGIES_H
#define CORE_STRATEGIES_H

/* X(ID, name): strategy_NAME.c defines strategy_NAME. */
#define STRATEGIES(X)                                                                                        \
    X(THRESHOLD, threshold)                                                                                  \
    X(TRACKING, tracking)

#endif
