/* what: a pidfd of a child: readable when the child ends after the move */
/* needs: family */
/* spoil: close(fd) */
#include "../feature.h"
#include <poll.h>
#include <sys/pidfd.h>

static void hold(void *unused) {
  (void)unused;
  settled();
  for (;;) pause();
}

int main(void) {
  siginfo_t info;
  pid_t child = spawn(hold, NULL);
  int fd = must(pidfd_open(child, 0));
  ready();
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  equal("readiness while the child lives", poll(&poll_fd, 1, 0), 0);
  must(pidfd_send_signal(fd, SIGTERM, NULL, 0));
  equal("readiness after its end", poll(&poll_fd, 1, 10000), 1);
  equal("events", poll_fd.revents & POLLIN, POLLIN);
  must(waitid(P_PIDFD, fd, &info, WEXITED));
  equal("pid", info.si_pid, child);
  equal("signal", info.si_status, SIGTERM);
  pass();
}
