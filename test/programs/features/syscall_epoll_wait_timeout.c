/* what: blocked in epoll_wait with a timeout */
/* needs: deadline */
/* spoil: interrupt(worker->tid) */
#include "../feature.h"
#include <sys/epoll.h>

static int poller;

static void *wait_time(void *unused) {
  struct epoll_event event;
  long long began = now(CLOCK_MONOTONIC);
  errno = 0;
  long result = syscall(SYS_epoll_wait, poller, &event, 1, 3000);
  long long passed = now(CLOCK_MONOTONIC) - began;
  check(result == 0, "the call to return 0 at its time, seen %ld %s", result, strerror(errno));
  within("nanoseconds waited", passed, 3000 * MILLISECOND - MILLISECOND, 4900 * MILLISECOND);
  return unused;
}

int main(void) {
  poller = must(epoll_create1(0));
  struct worker *worker = start(wait_time, NULL);
  until_blocked(worker->tid, SYS_epoll_wait);
  /* A wait that began anew would end too late. */
  nap_milliseconds(2000);
  announce();
  finish(worker);
  pass();
}
