/* what: an epoll set: descriptors, events and user data, among them one already ready */
/* spoil: epoll_ctl(set, EPOLL_CTL_DEL, pipes[7][0], NULL) */
#include "../feature.h"
#include <sys/epoll.h>

int main(void) {
  static int pipes[20][2];
  struct epoll_event events[40];
  int set = must(epoll_create1(EPOLL_CLOEXEC));
  for (int i = 0; i < 20; i++) {
    must(pipe(pipes[i]));
    must(epoll_ctl(set, EPOLL_CTL_ADD, pipes[i][0], &(struct epoll_event){.events = EPOLLIN, .data.u64 = 0xabcdef0000000000 + i}));
  }
  must(write(pipes[7][1], "x", 1));
  ready();
  equal("ready descriptors", epoll_wait(set, events, 40, 0), 1);
  check(events[0].data.u64 == 0xabcdef0000000007, "the data of pipe 7, seen 0x%lx", events[0].data.u64);
  equal("events", events[0].events, EPOLLIN);
  for (int i = 0; i < 20; i++) must(write(pipes[i][1], "x", 1));
  equal("ready descriptors after writing to all", epoll_wait(set, events, 40, 0), 20);
  equal("FD_CLOEXEC", fcntl(set, F_GETFD), FD_CLOEXEC);
  must(close(pipes[3][0]));
  equal("ready descriptors after closing one", epoll_wait(set, events, 40, 0), 19);
  pass();
}
