/* what: closing the master after the move hangs up: SIGHUP and SIGCONT to the session, end of file */
/* needs: tree */
/* spoil: kill(child, SIGKILL) */
#include "../terminal.h"

static void lead(void *pointer) {
  int slave = ((int *)pointer)[1];
  sigset_t mask;
  char byte;
  close(((int *)pointer)[0]);
  sigemptyset(&mask);
  sigaddset(&mask, SIGHUP);
  sigaddset(&mask, SIGCONT);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  take_terminal(slave);
  settled();
  equal("first signal", sigtimedwait(&mask, NULL, &(struct timespec){30, 0}), SIGHUP);
  equal("second signal", sigtimedwait(&mask, NULL, &(struct timespec){5, 0}), SIGCONT);
  equal("end of file", read(slave, &byte, 1), 0);
  refused(write(slave, "x", 1), EIO);
}

int main(void) {
  int ends[2];
  ends[0] = open_master();
  ends[1] = open_slave(ends[0]);
  pid_t child = spawn(lead, ends);
  close(ends[1]);
  ready();
  must(close(ends[0]));
  join(child);
  pass();
}
