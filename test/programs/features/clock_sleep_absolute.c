/* what: deadlines written down as monotonic and boot time before the move still name the same instants */
/* spoil: monotonic -= 5 * SECOND */
#include "../feature.h"

int main(void) {
  long long monotonic = now(CLOCK_MONOTONIC) + SECOND, boot = now(CLOCK_BOOTTIME) + SECOND, real = now(CLOCK_REALTIME) + SECOND;
  ready();
  struct timespec until = timespec_of(monotonic);
  equal("clock_nanosleep", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
  within("real time at the monotonic deadline, off by ns", now(CLOCK_REALTIME) - real, -100 * MILLISECOND, 60 * SECOND);
  within("boot time at the monotonic deadline, off by ns", now(CLOCK_BOOTTIME) - boot, -100 * MILLISECOND, 60 * SECOND);
  until = timespec_of(now(CLOCK_BOOTTIME) + 50 * MILLISECOND);
  equal("clock_nanosleep", clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL), 0);
  pass();
}
