/* what: blocked in epoll_wait and sigtimedwait with a timeout, beside so much memory that it is sent ahead, which takes a stop of its own */
/* needs: deadline */
/* spoil: interrupt(worker->tid) */
#include "../feature.h"
#include <sys/epoll.h>

static int poller;

static void *wait_signal(void *unused) {
  struct timespec time = timespec_of(3000 * MILLISECOND);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &mask, NULL);
  long long began = now(CLOCK_MONOTONIC);
  refused(sigtimedwait(&mask, NULL, &time), EAGAIN);
  within("nanoseconds waited for a signal", now(CLOCK_MONOTONIC) - began, 3000 * MILLISECOND - MILLISECOND, 4900 * MILLISECOND);
  equal("the time that was asked for", nanoseconds_of(time), 3000 * MILLISECOND);
  return unused;
}

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
  char *memory = map_anonymous(32 * MIB, PROT_READ | PROT_WRITE);
  fill(memory, 32 * MIB, 77);
  poller = must(epoll_create1(0));
  struct worker *worker = start(wait_time, NULL), *other = start(wait_signal, NULL);
  until_blocked(other->tid, SYS_rt_sigtimedwait);
  until_blocked(worker->tid, SYS_epoll_wait);
  /* A wait that began anew would end too late. */
  nap_milliseconds(2000);
  announce();
  finish(worker);
  finish(other);
  verify("memory", memory, 32 * MIB, 77);
  pass();
}
