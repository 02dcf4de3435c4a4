/* what: an epoll entry whose descriptor was closed while a duplicate lives on */
/* needs: refusable */
/* spoil: close(copy) */
#include "../feature.h"
#include <sys/epoll.h>

int main(void) {
  int ends[2], set = must(epoll_create1(0));
  struct epoll_event event;
  must(pipe(ends));
  must(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &(struct epoll_event){.events = EPOLLIN, .data.u32 = 9}));
  int copy = must(dup(ends[0]));
  must(close(ends[0]));
  ready();
  equal("write", write(ends[1], "x", 1), 1);
  equal("ready descriptors", epoll_wait(set, &event, 1, 0), 1);
  equal("data", event.data.u32, 9);
  must(read(copy, &(char){0}, 1));
  equal("ready descriptors after reading", epoll_wait(set, &event, 1, 0), 0);
  pass();
}
