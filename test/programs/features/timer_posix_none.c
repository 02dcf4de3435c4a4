/* what: POSIX timer with SIGEV_NONE: it counts and signals nobody */
/* spoil: timer_settime(timer, 0, &(struct itimerspec){0}, NULL) */
#include "../feature.h"

int main(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_NONE};
  struct itimerspec value = {.it_interval = {2, 5}, .it_value = {700, 0}};
  must(timer_create(CLOCK_REALTIME, &event, &timer));
  must(timer_settime(timer, 0, &value, NULL));
  long long armed = now(CLOCK_MONOTONIC);
  ready();
  must(timer_gettime(timer, &value));
  equal("interval in ns", nanoseconds_of(value.it_interval), 2 * SECOND + 5);
  within("ns elapsed and remaining", now(CLOCK_MONOTONIC) - armed + nanoseconds_of(value.it_value), 700 * SECOND - 20 * MILLISECOND, 700 * SECOND + 500 * MILLISECOND);
  must(timer_settime(timer, 0, &(struct itimerspec){.it_value = {0, 10 * MILLISECOND}}, NULL));
  nap_milliseconds(50);
  must(timer_gettime(timer, &value));
  equal("remaining ns after the expiry", nanoseconds_of(value.it_value), 0);
  pass();
}
