/* what: an epoll set inside another one */
/* spoil: epoll_ctl(inner, EPOLL_CTL_DEL, ends[0], NULL) */
#include "../feature.h"
#include <sys/epoll.h>

int main(void) {
  int ends[2], inner = must(epoll_create1(0)), outer = must(epoll_create1(0));
  struct epoll_event event;
  must(pipe(ends));
  must(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &(struct epoll_event){.events = EPOLLIN, .data.u32 = 1}));
  must(epoll_ctl(inner, EPOLL_CTL_ADD, ends[0], &(struct epoll_event){.events = EPOLLIN, .data.u32 = 2}));
  ready();
  equal("ready in the outer set", epoll_wait(outer, &event, 1, 0), 0);
  must(write(ends[1], "x", 1));
  equal("ready in the outer set after a write", epoll_wait(outer, &event, 1, 1000), 1);
  equal("entry of the outer set", event.data.u32, 1);
  equal("ready in the inner set", epoll_wait(inner, &event, 1, 0), 1);
  equal("entry of the inner set", event.data.u32, 2);
  pass();
}
