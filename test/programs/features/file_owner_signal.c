/* what: owner and signal of a descriptor (F_SETOWN, F_SETSIG, O_ASYNC): data announce themselves with that signal */
/* spoil: fcntl(ends[0], F_SETSIG, SIGUSR1) */
#include "../feature.h"

int main(void) {
  int ends[2];
  sigset_t mask;
  siginfo_t info;
  sigfillset(&mask);
  must(sigprocmask(SIG_SETMASK, &mask, NULL));
  must(pipe(ends));
  must(fcntl(ends[0], F_SETOWN, getpid()));
  must(fcntl(ends[0], F_SETSIG, SIGRTMIN + 9));
  must(fcntl(ends[0], F_SETFL, O_ASYNC));
  ready();
  equal("F_GETOWN", fcntl(ends[0], F_GETOWN), getpid());
  equal("F_GETSIG", fcntl(ends[0], F_GETSIG), SIGRTMIN + 9);
  must(write(ends[1], "x", 1));
  equal("signal", sigtimedwait(&mask, &info, &(struct timespec){5, 0}), SIGRTMIN + 9);
  equal("si_fd", info.si_fd, ends[0]);
  equal("si_code", info.si_code, POLL_IN);
  pass();
}
