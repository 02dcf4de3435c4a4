/* what: blocked in sigtimedwait */
/* needs: deadline */
/* spoil: interrupt(worker->tid) */
#include "../feature.h"

static void *wait_time(void *unused) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  struct timespec time = timespec_of(3000 * MILLISECOND);
  long long began = now(CLOCK_MONOTONIC);
  errno = 0;
  long result = syscall(SYS_rt_sigtimedwait, &mask, NULL, &time, 8);
  long long passed = now(CLOCK_MONOTONIC) - began;
  check(result == -1 && errno == EAGAIN, "the call to end in EAGAIN, seen %ld %s", result, strerror(errno));
  within("nanoseconds waited", passed, 3000 * MILLISECOND - MILLISECOND, 4900 * MILLISECOND);
  return unused;
}

int main(void) {
  struct worker *worker = start(wait_time, NULL);
  until_blocked(worker->tid, SYS_rt_sigtimedwait);
  /* A wait that began anew would end too late. */
  nap_milliseconds(2000);
  announce();
  finish(worker);
  pass();
}
