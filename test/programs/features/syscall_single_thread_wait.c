/* what: a process with one thread, blocked in wait4 for a child that ends after the move */
/* needs: family */
/* spoil: alarm(1), signal(SIGALRM, no_action), siginterrupt(SIGALRM, 1), kill(child, SIGSTOP) */
#include "../feature.h"

static void end_later(void *unused) {
  (void)unused;
  settled();
  until_blocked(getppid(), SYS_wait4);
  wait_go();
  usleep(20000);
  _exit(77);
}

int main(void) {
  int status;
  pid_t child = spawn(end_later, NULL);
  announce();
  pid_t got = wait4(child, &status, 0, NULL);
  check(got == child, "the child %d, seen %d %s", child, got, got < 0 ? strerror(errno) : "");
  equal("status", status, 77 << 8);
  pass();
}
