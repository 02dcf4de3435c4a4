/* what: blocked in clock_nanosleep to an absolute time, on monotonic, boot and real time */
/* needs: deadline */
/* spoil: interrupt(workers[2]->tid) */
#include "../feature.h"

static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME};

static void *sleep_until(void *argument) {
  clockid_t clock = *(const clockid_t *)argument;
  long long deadline = now(clock) + 1500 * MILLISECOND;
  struct timespec until = timespec_of(deadline);
  int error = clock_nanosleep(clock, TIMER_ABSTIME, &until, NULL);
  check(error == 0, "clock_nanosleep to return 0, seen %s", strerror(error));
  within("nanoseconds after the deadline", now(clock) - deadline, 0, 1500 * MILLISECOND);
  return NULL;
}

int main(void) {
  struct worker *workers[3];
  for (int i = 0; i < 3; i++) workers[i] = start(sleep_until, (void *)&clocks[i]);
  for (int i = 0; i < 3; i++) until_blocked(workers[i]->tid, SYS_clock_nanosleep);
  announce();
  for (int i = 0; i < 3; i++) finish(workers[i]);
  pass();
}
