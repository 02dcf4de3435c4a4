/* what: 60 POSIX timers on three clocks */
/* spoil: timer_settime(timers[17], 0, &(struct itimerspec){.it_value = {1, 0}}, NULL) */
#include "../feature.h"

int main(void) {
  static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
  timer_t timers[60];
  struct itimerspec value;
  for (int i = 0; i < 60; i++) {
    struct sigevent event = {.sigev_notify = i % 2 ? SIGEV_NONE : SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + i % 30, .sigev_value.sival_int = i};
    must(timer_create(clocks[i % 3], &event, &timers[i]));
    must(timer_settime(timers[i], 0, &(struct itimerspec){{i, i}, {1000 + i, 0}}, NULL));
  }
  long long armed = now(CLOCK_MONOTONIC);
  ready();
  for (int i = 0; i < 60; i++) {
    must(timer_gettime(timers[i], &value));
    equal("interval in ns", nanoseconds_of(value.it_interval), i * SECOND + i);
    within("ns elapsed and remaining", now(CLOCK_MONOTONIC) - armed + nanoseconds_of(value.it_value) - (1000 + i) * SECOND, -50 * MILLISECOND, 500 * MILLISECOND);
  }
  pass();
}
