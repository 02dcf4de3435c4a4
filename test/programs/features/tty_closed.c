/* what: nobody is hung up when the leader of a session has closed its terminal, which stays with others */
/* spoil: raise(SIGHUP) */
#include "../terminal.h"

static void hold(void *parent) {
  settled();
  while (getppid() == *(pid_t *)parent) usleep(10000);
}

int main(void) {
  sigset_t mask, pending;
  int master = open_master(), slave = open_slave(master);
  if (getsid(0) != getpid()) must(setsid());
  int none = open("/dev/tty", O_RDWR);
  if (none >= 0) skip("the program was started on a terminal");
  must(ioctl(slave, TIOCSCTTY, 0));
  sigemptyset(&mask);
  sigaddset(&mask, SIGHUP);
  sigaddset(&mask, SIGCONT);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  pid_t self = getpid();
  spawn(hold, &self);
  must(close(slave));
  must(close(master));
  ready();
  must(sigpending(&pending));
  equal("SIGHUP is pending", sigismember(&pending, SIGHUP), 0);
  equal("SIGCONT is pending", sigismember(&pending, SIGCONT), 0);
  pass();
}
