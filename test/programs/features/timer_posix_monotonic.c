/* what: POSIX timer on CLOCK_MONOTONIC: remaining time and interval */
/* spoil: timer_settime(timer, 0, &(struct itimerspec){{3, 0}, {500, 0}}, NULL) */
#include "../feature.h"

int main(void) {
  timer_t timer;
  struct itimerspec value = {.it_interval = {3, 141592653}, .it_value = {1000, 0}};
  must(timer_create(CLOCK_MONOTONIC, NULL, &timer));
  must(timer_settime(timer, 0, &value, NULL));
  long long armed = now(CLOCK_MONOTONIC);
  ready();
  must(timer_gettime(timer, &value));
  long long elapsed = now(CLOCK_MONOTONIC) - armed;
  equal("interval in ns", nanoseconds_of(value.it_interval), 3141592653LL);
  within("ns elapsed and remaining", elapsed + nanoseconds_of(value.it_value), 1000 * SECOND - 20 * MILLISECOND, 1000 * SECOND + 500 * MILLISECOND);
  pass();
}
