// The metrics page.
#ifndef TIDEGATE_ADMIN_PAGE_H
#define TIDEGATE_ADMIN_PAGE_H

#include "tidegate/admin/admin.h"

// Appends all metrics in Prometheus' text format 0.0.4: 0 or a buffer's error.
int page_print(const struct admin_options *options, struct buf *out) ATTR_MUST_CHECK;

#endif
