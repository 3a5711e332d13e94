/* SPDX-License-Identifier: MIT */
/* What the operator holds the count to. A plain value. */
#ifndef CORE_HOLD_H
#define CORE_HOLD_H
#include "core/units.h"

enum override_kind { OVERRIDE_NONE, OVERRIDE_FLOOR, OVERRIDE_CEILING };

struct hold {
    bool manual; /* MANUAL: count holds until changed */
    int count;   /* of MANUAL */
    enum override_kind override;
    int override_count;
    usec_t override_until; /* USEC_NEVER = until changed */
};

#endif
