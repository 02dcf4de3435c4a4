/* what: blocked in nanosleep: it ends once, at its time, without EINTR */
/* needs: deadline */
/* spoil: interrupt(worker->tid) */
#include "../feature.h"

static void *sleep_once(void *unused) {
  long long began = now(CLOCK_MONOTONIC);
  struct timespec time = timespec_of(3000 * MILLISECOND);
  int result = nanosleep(&time, NULL);
  check(result == 0, "nanosleep to return 0, seen %s", strerror(errno));
  within("nanoseconds slept", now(CLOCK_MONOTONIC) - began, 3000 * MILLISECOND, 4900 * MILLISECOND);
  return unused;
}

int main(void) {
  struct worker *worker = start(sleep_once, NULL);
  until_blocked(worker->tid, SYS_clock_nanosleep);
  /* A wait that began anew would end too late. */
  nap_milliseconds(2000);
  announce();
  finish(worker);
  pass();
}
