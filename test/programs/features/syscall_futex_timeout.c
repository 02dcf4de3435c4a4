/* what: blocked in futex with a timeout */
/* needs: deadline */
/* spoil: interrupt(worker->tid) */
#include "../feature.h"
#include <linux/futex.h>

static void *wait_time(void *unused) {
  static uint32_t word = 7;
  struct timespec time = timespec_of(3000 * MILLISECOND);
  long long began = now(CLOCK_MONOTONIC);
  errno = 0;
  long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, &time, NULL, 0);
  long long passed = now(CLOCK_MONOTONIC) - began;
  check(result == -1 && errno == ETIMEDOUT, "the call to end in ETIMEDOUT, seen %ld %s", result, strerror(errno));
  within("nanoseconds waited", passed, 3000 * MILLISECOND - MILLISECOND, 4900 * MILLISECOND);
  return unused;
}

int main(void) {
  struct worker *worker = start(wait_time, NULL);
  until_blocked(worker->tid, SYS_futex);
  /* A wait that began anew would end too late. */
  nap_milliseconds(2000);
  announce();
  finish(worker);
  pass();
}
