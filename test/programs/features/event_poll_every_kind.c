/* what: an epoll set over every kind of descriptor: pipe, socket, eventfd, timerfd, signalfd, inotify, pty */
/* spoil: epoll_ctl(set, EPOLL_CTL_DEL, fds[5], NULL) */
#include "../feature.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

int main(void) {
  int ends[2], sockets[2], fds[6], set = must(epoll_create1(0));
  sigset_t mask;
  struct epoll_event events[8];
  char *path = scratch("file");
  write_text(path, "");
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  must(pipe(ends));
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
  fds[0] = ends[0];
  fds[1] = sockets[0];
  fds[2] = must(eventfd(0, 0));
  fds[3] = must(timerfd_create(CLOCK_MONOTONIC, 0));
  fds[4] = must(signalfd(-1, &mask, 0));
  fds[5] = must(inotify_init1(0));
  must(inotify_add_watch(fds[5], path, IN_MODIFY));
  for (int i = 0; i < 6; i++) must(epoll_ctl(set, EPOLL_CTL_ADD, fds[i], &(struct epoll_event){.events = EPOLLIN, .data.u32 = i}));
  ready();
  equal("ready before anything happened", epoll_wait(set, events, 8, 0), 0);
  must(write(ends[1], "x", 1));
  must(write(sockets[1], "x", 1));
  must(write(fds[2], &(uint64_t){1}, 8));
  must(timerfd_settime(fds[3], 0, &(struct itimerspec){.it_value = {0, 1}}, NULL));
  must(kill(getpid(), SIGUSR1));
  write_text(path, "changed");
  nap_milliseconds(30);
  int seen = 0, count = epoll_wait(set, events, 8, 1000);
  for (int i = 0; i < count; i++) seen |= 1 << events[i].data.u32;
  equal("set of the ready ones", seen, 0x3f);
  pass();
}
