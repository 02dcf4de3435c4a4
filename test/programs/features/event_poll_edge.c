/* what: edge-triggered and one-shot entries of an epoll set: what was reported is not reported again */
/* spoil: epoll_ctl(set, EPOLL_CTL_MOD, pipes[1][0], &(struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.u32 = 1}) */
#include "../feature.h"
#include <sys/epoll.h>

int main(void) {
  int pipes[2][2];
  struct epoll_event events[8];
  int set = must(epoll_create1(0));
  for (int i = 0; i < 2; i++) must(pipe(pipes[i]));
  must(epoll_ctl(set, EPOLL_CTL_ADD, pipes[0][0], &(struct epoll_event){.events = EPOLLIN | EPOLLET, .data.u32 = 0}));
  must(epoll_ctl(set, EPOLL_CTL_ADD, pipes[1][0], &(struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.u32 = 1}));
  must(write(pipes[0][1], "a", 1));
  must(write(pipes[1][1], "b", 1));
  equal("ready descriptors before", epoll_wait(set, events, 8, 0), 2);
  ready();
  /* One more report of an edge is allowed to the kernel at any time, silence of the one-shot entry is not optional. */
  int count = epoll_wait(set, events, 8, 0);
  within("repeated reports", count, 0, 1);
  if (count == 1) equal("entry reported again", events[0].data.u32, 0);
  must(write(pipes[0][1], "c", 1));
  must(write(pipes[1][1], "d", 1));
  equal("reports after new data", epoll_wait(set, events, 8, 0), 1);
  equal("entry reported", events[0].data.u32, 0);
  must(epoll_ctl(set, EPOLL_CTL_MOD, pipes[1][0], &(struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.u32 = 1}));
  equal("reports after arming again", epoll_wait(set, events, 8, 0), 1);
  equal("entry armed again", events[0].data.u32, 1);
  pass();
}
