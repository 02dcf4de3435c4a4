/* what: an epoll set shared by parent and child */
/* needs: tree */
/* spoil: epoll_ctl(set, EPOLL_CTL_DEL, ends[0], NULL) */
#include "../feature.h"
#include <sys/epoll.h>

static int set, ends[2];

static void wait_event(void *unused) {
  (void)unused;
  struct epoll_event event;
  settled();
  int count;
  while ((count = epoll_wait(set, &event, 1, 70000)) < 0) check(errno != EINTR, "no EINTR, seen EINTR");
  equal("ready in the child", count, 1);
  equal("data of the entry", event.data.u32, 42);
}

int main(void) {
  set = must(epoll_create1(0));
  must(pipe(ends));
  must(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &(struct epoll_event){.events = EPOLLIN, .data.u32 = 42}));
  pid_t child = spawn(wait_event, NULL);
  until_blocked(child, SYS_epoll_wait);
  ready();
  refused(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &(struct epoll_event){.events = EPOLLIN}), EEXIST);
  must(write(ends[1], "x", 1));
  join(child);
  pass();
}
