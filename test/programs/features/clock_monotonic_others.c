/* what: CLOCK_MONOTONIC_RAW and CLOCK_MONOTONIC_COARSE, by vDSO and by system call, agree with CLOCK_MONOTONIC as before */
/* spoil: distance[0] += 3 * SECOND */
#include "../feature.h"

static long long by_system_call(clockid_t clock) {
  struct timespec time;
  must(syscall(SYS_clock_gettime, clock, &time));
  return nanoseconds_of(time);
}

int main(void) {
  static const clockid_t clocks[] = {CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME};
  long long distance[3];
  for (int i = 0; i < 3; i++) distance[i] = now(clocks[i]) - now(CLOCK_MONOTONIC);
  ready();
  for (int i = 0; i < 3; i++) {
    /* RAW may drift from node to node: it has no adjustment. */
    within("ns that the clock moved against CLOCK_MONOTONIC", now(clocks[i]) - now(CLOCK_MONOTONIC) - distance[i], -500 * MILLISECOND, 500 * MILLISECOND);
    within("ns between vDSO and system call", by_system_call(clocks[i]) - now(clocks[i]), -50 * MILLISECOND, 50 * MILLISECOND);
  }
  within("ns between vDSO and system call", by_system_call(CLOCK_MONOTONIC) - now(CLOCK_MONOTONIC), -50 * MILLISECOND, 50 * MILLISECOND);
  pass();
}
