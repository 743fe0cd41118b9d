// How many CPUs this process may use. Main thread.
#ifndef TIDEGATE_APP_CPUS_H
#define TIDEGATE_APP_CPUS_H

// The smaller of the affinity mask and the cgroup's quota (rounded up); at least 1.
unsigned cpus_usable(void);

#endif
