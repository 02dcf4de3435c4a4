/* what: blocked in poll, ppoll, select and epoll_wait on a pipe without a timeout; all are woken after the move */
/* spoil: interrupt(workers[0]->tid) */
#include "../feature.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static int ends[2], poller;
static const long numbers[] = {SYS_poll, SYS_ppoll, SYS_select, SYS_pselect6, SYS_epoll_wait, SYS_epoll_pwait};

static void *wait_readable(void *argument) {
  long which = (long)argument, result = -1;
  struct pollfd entry = {.fd = ends[0], .events = POLLIN};
  struct epoll_event event = {0};
  sigset_t mask;
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  sigfillset(&mask);
  sigdelset(&mask, SIGURG);
  if (which == 0) result = syscall(SYS_poll, &entry, 1, -1);
  if (which == 1) result = syscall(SYS_ppoll, &entry, 1, NULL, &mask, 8);
  if (which == 2) result = syscall(SYS_select, ends[0] + 1, &set, NULL, NULL, NULL);
  if (which == 3) result = syscall(SYS_pselect6, ends[0] + 1, &set, NULL, NULL, NULL, (void *[]){&mask, (void *)8});
  if (which == 4) result = syscall(SYS_epoll_wait, poller, &event, 1, -1);
  if (which == 5) result = syscall(SYS_epoll_pwait, poller, &event, 1, -1, &mask, 8);
  check(result == 1, "call %ld to return 1, seen %ld %s", numbers[which], result, result < 0 ? strerror(errno) : "");
  return NULL;
}

int main(void) {
  struct worker *workers[6];
  must(pipe(ends));
  poller = must(epoll_create1(0));
  must(epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], &(struct epoll_event){.events = EPOLLIN}));
  for (long i = 0; i < 6; i++) workers[i] = start(wait_readable, (void *)i);
  for (int i = 0; i < 6; i++) until_blocked(workers[i]->tid, numbers[i]);
  ready();
  for (int i = 0; i < 6; i++) until_blocked(workers[i]->tid, numbers[i]);
  must(write(ends[1], "x", 1));
  for (int i = 0; i < 6; i++) finish(workers[i]);
  pass();
}
