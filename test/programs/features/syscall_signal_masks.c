/* what: blocked in ppoll, pselect and epoll_pwait with a mask of their own: signals it blocks stay out, the old mask is back afterwards */
/* spoil: interrupt(workers[0]->tid) */
#include "../feature.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static int ends[2], poller;
static const long numbers[] = {SYS_ppoll, SYS_pselect6, SYS_epoll_pwait};
static _Atomic int handled;
static void on_signal(int number) { (void)number, handled++; }

static void *wait_masked(void *index) {
  struct pollfd entry = {.fd = ends[0], .events = POLLIN};
  struct epoll_event event;
  sigset_t inside, outside, seen;
  fd_set set;
  long which = (long)index, result = -1;
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  sigemptyset(&outside);
  sigaddset(&outside, SIGRTMIN + 1);
  pthread_sigmask(SIG_SETMASK, &outside, NULL);
  sigemptyset(&inside);
  sigaddset(&inside, SIGRTMIN);
  if (which == 0) result = ppoll(&entry, 1, NULL, &inside);
  if (which == 1) result = pselect(ends[0] + 1, &set, NULL, NULL, NULL, &inside);
  if (which == 2) result = epoll_pwait(poller, &event, 1, -1, &inside);
  check(result == 1, "call %ld to return 1, seen %ld %s", numbers[which], result, result < 0 ? strerror(errno) : "");
  pthread_sigmask(SIG_SETMASK, NULL, &seen);
  equal("SIGRTMIN blocked afterwards", sigismember(&seen, SIGRTMIN), 0);
  equal("SIGRTMIN+1 blocked afterwards", sigismember(&seen, SIGRTMIN + 1), 1);
  return NULL;
}

int main(void) {
  struct worker *workers[3];
  signal(SIGRTMIN, on_signal);
  must(pipe(ends));
  poller = must(epoll_create1(0));
  must(epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], &(struct epoll_event){.events = EPOLLIN}));
  for (long i = 0; i < 3; i++) workers[i] = start(wait_masked, (void *)i);
  for (int i = 0; i < 3; i++) until_blocked(workers[i]->tid, numbers[i]);
  for (int i = 0; i < 3; i++) pthread_kill(workers[i]->thread, SIGRTMIN);
  ready();
  for (int i = 0; i < 3; i++) until_blocked(workers[i]->tid, numbers[i]);
  equal("signals handled inside the calls", handled, 0);
  must(write(ends[1], "x", 1));
  for (int i = 0; i < 3; i++) finish(workers[i]);
  equal("signals handled after the calls", handled, 3);
  pass();
}
