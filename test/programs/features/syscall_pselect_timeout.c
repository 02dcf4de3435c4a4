/* what: blocked in pselect6 with a timeout */
/* needs: deadline */
/* spoil: interrupt(worker->tid) */
#include "../feature.h"

static void *wait_time(void *unused) {
  struct timespec time = timespec_of(3000 * MILLISECOND);
  long long began = now(CLOCK_MONOTONIC);
  errno = 0;
  long result = syscall(SYS_pselect6, 0, NULL, NULL, NULL, &time, NULL);
  long long passed = now(CLOCK_MONOTONIC) - began;
  check(result == 0, "the call to return 0 at its time, seen %ld %s", result, strerror(errno));
  within("nanoseconds waited", passed, 3000 * MILLISECOND - MILLISECOND, 4900 * MILLISECOND);
  return unused;
}

int main(void) {
  struct worker *worker = start(wait_time, NULL);
  until_blocked(worker->tid, SYS_pselect6);
  /* A wait that began anew would end too late. */
  nap_milliseconds(2000);
  announce();
  finish(worker);
  pass();
}
