// Signals of the process as plain return values. Main thread only; call signals_block() before any
// other thread is started so that all of them inherit the mask.
#ifndef TIDEGATE_LOOP_SIGNALS_H
#define TIDEGATE_LOOP_SIGNALS_H

#include "tidegate/base/attr.h"

// Blocks SIGINT, SIGTERM and SIGHUP for this thread and those it starts; ignores SIGPIPE. 0 or
// -errno.
int signals_block(void) ATTR_MUST_CHECK;

// Waits up to `timeout_ms` (-1: for ever) for one of them: its number, or 0 when the time ran out.
int signals_wait(int timeout_ms);

#endif
