/* what: a periodic POSIX timer keeps its phase: expirations at start + k × interval */
/* spoil: timer_settime(timer, 0, &(struct itimerspec){{0, 400000000}, {0, 190000000}}, NULL) */
#include "../feature.h"

int main(void) {
  timer_t timer;
  struct itimerspec value = {{0, 400 * MILLISECOND}, {0}};
  long long interval = 400 * MILLISECOND, first = now(CLOCK_MONOTONIC) + interval;
  signal(SIGALRM, SIG_IGN);
  must(timer_create(CLOCK_MONOTONIC, NULL, &timer));
  value.it_value = timespec_of(first);
  must(timer_settime(timer, TIMER_ABSTIME, &value, NULL));
  ready();
  must(timer_gettime(timer, &value));
  long long next = now(CLOCK_MONOTONIC) + nanoseconds_of(value.it_value);
  long long off = ((next - first) % interval + interval) % interval;
  if (off > interval / 2) off -= interval;
  within("ns off the phase", off, -20 * MILLISECOND, 100 * MILLISECOND);
  pass();
}
