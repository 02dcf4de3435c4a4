/* what: a process with one thread, blocked in pause until its child signals it after the move */
/* needs: family */
/* spoil: raise(SIGUSR1) */
#include "../feature.h"

static volatile int count;
static void on_signal(int number) { (void)number, count++; }

static void signal_later(void *unused) {
  (void)unused;
  settled();
  until_blocked(getppid(), SYS_pause);
  wait_go();
  must(kill(getppid(), SIGUSR1));
}

int main(void) {
  signal(SIGUSR1, on_signal);
  signal(SIGCHLD, SIG_DFL);
  pid_t child = spawn(signal_later, NULL);
  announce();
  equal("handler runs before", count, 0);
  refused(pause(), EINTR);
  equal("handler runs", count, 1);
  join(child);
  pass();
}
