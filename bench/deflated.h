// Checks of compressed messages (RFC 7692). A broadcast is deflated once for everybody, so its
// frame is the same on every connection: a sample of the connections inflates it, the others
// compare its bytes with the frame that was inflated first. Frames of other modes are all inflated.
#ifndef TIDEGATE_BENCH_DEFLATED_H
#define TIDEGATE_BENCH_DEFLATED_H

#include "client.h"

// Puts the message's own bytes in place of the deflated ones; they are valid until the next call.
// A frame that does not inflate, or differs from what others got, fails the run.
void deflated_open(const struct load *load, const struct client *client, struct wire_frame *frame);

#endif
