// What the kernel says about this process: for the metrics page and the node's description.
// Any thread; each call asks anew.
#ifndef TIDEGATE_BASE_PROCESS_H
#define TIDEGATE_BASE_PROCESS_H

#include <stdint.h>

// Resident memory in bytes; 0 when the kernel does not tell.
int64_t process_rss_bytes(void);

// CPU time of all threads since the start, in microseconds.
int64_t process_cpu_us(void);

// Open descriptors; 0 when the kernel does not tell.
int64_t process_open_fds(void);

#endif
