/* what: a signalfd: its mask, and signals waiting for it with their values */
/* spoil: read(fd, &info, sizeof info) */
#include "../feature.h"
#include <sys/signalfd.h>

int main(void) {
  sigset_t mask;
  struct signalfd_siginfo info;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  sigaddset(&mask, SIGRTMIN + 3);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  int fd = must(signalfd(-1, &mask, SFD_NONBLOCK));
  must(kill(getpid(), SIGUSR1));
  for (int value = 0; value < 3; value++) must(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = value}));
  ready();
  equal("bytes read", read(fd, &info, sizeof info), sizeof info);
  equal("first signal", info.ssi_signo, SIGUSR1);
  for (int value = 0; value < 3; value++) {
    must(read(fd, &info, sizeof info));
    equal("signal", info.ssi_signo, SIGRTMIN + 3);
    equal("value", info.ssi_int, value);
  }
  refused(read(fd, &info, sizeof info), EAGAIN);
  must(kill(getpid(), SIGUSR1));
  must(read(fd, &info, sizeof info));
  equal("signal sent after the move", info.ssi_signo, SIGUSR1);
  pass();
}
