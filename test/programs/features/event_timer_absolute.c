/* what: timerfds with absolute times on CLOCK_REALTIME, CLOCK_BOOTTIME and CLOCK_MONOTONIC */
/* spoil: timerfd_settime(fds[1], 0, &(struct itimerspec){.it_value = {50, 0}}, NULL) */
#include "../feature.h"
#include <sys/timerfd.h>

int main(void) {
  static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_MONOTONIC};
  int fds[3], soon[3];
  long long at[3];
  for (int i = 0; i < 3; i++) {
    fds[i] = must(timerfd_create(clocks[i], TFD_NONBLOCK));
    soon[i] = must(timerfd_create(clocks[i], 0));
    at[i] = now(clocks[i]);
    must(timerfd_settime(fds[i], TFD_TIMER_ABSTIME, &(struct itimerspec){.it_value = timespec_of(at[i] + 2000 * SECOND)}, NULL));
    must(timerfd_settime(soon[i], TFD_TIMER_ABSTIME, &(struct itimerspec){.it_value = timespec_of(at[i] + 1200 * MILLISECOND)}, NULL));
  }
  ready();
  for (int i = 0; i < 3; i++) {
    struct itimerspec value;
    must(timerfd_gettime(fds[i], &value));
    within("ns off the expiry", now(clocks[i]) + nanoseconds_of(value.it_value) - at[i] - 2000 * SECOND, -20 * MILLISECOND, 500 * MILLISECOND);
    uint64_t count = 0;
    equal("bytes read", read(soon[i], &count, 8), 8);
    equal("expirations", count, 1);
    check(now(clocks[i]) >= at[i] + 1200 * MILLISECOND, "expiry not before its time, seen it %lld ns early", at[i] + 1200 * MILLISECOND - now(clocks[i]));
  }
  pass();
}
