/* what: POSIX timer with an absolute time on CLOCK_REALTIME */
/* spoil: timer_settime(timer, 0, &(struct itimerspec){.it_value = {900, 0}}, NULL) */
#include "../feature.h"

int main(void) {
  timer_t timer;
  long long at = now(CLOCK_REALTIME) + 3600 * SECOND;
  struct itimerspec value = {.it_value = timespec_of(at)};
  must(timer_create(CLOCK_REALTIME, NULL, &timer));
  must(timer_settime(timer, TIMER_ABSTIME, &value, NULL));
  ready();
  must(timer_gettime(timer, &value));
  within("ns between the expiry and its time", now(CLOCK_REALTIME) + nanoseconds_of(value.it_value) - at, -20 * MILLISECOND, 500 * MILLISECOND);
  equal("interval in ns", nanoseconds_of(value.it_interval), 0);
  pass();
}
