// CPUs by affinity and by cgroup quota: in a container with a quota of two CPUs on a host of
// sixty-four, sixty-four workers would only wait for each other. Owner: main thread.

#include "cpus.h"

#include <sched.h>
#include <stdio.h>

// The quota of cgroup v2, else of v1; 0 when there is none.
static unsigned cpus_quota(void)
{
    long long quota = -1;
    long long period = 0;
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");

    if (file != NULL) {
        // "max 100000" has no number first, and means no quota.
        if (fscanf(file, "%lld %lld", &quota, &period) != 2) {
            quota = -1;
        }
        fclose(file);
    } else if ((file = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re")) != NULL) {
        if (fscanf(file, "%lld", &quota) != 1) {
            quota = -1;
        }
        fclose(file);
        period = 100000;
    }
    return quota > 0 && period > 0 ? (unsigned)((quota + period - 1) / period) : 0;
}

unsigned cpus_usable(void)
{
    cpu_set_t set;
    unsigned quota = cpus_quota();
    unsigned count = 1;

    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) {
        count = (unsigned)CPU_COUNT(&set);
    }
    return quota > 0 && quota < count ? quota : count;
}
