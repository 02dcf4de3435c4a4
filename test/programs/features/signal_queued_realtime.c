/* what: queued real-time signals of the process: order, number and value of each */
/* spoil: sigwaitinfo(&mask, NULL) */
#include "../feature.h"

int main(void) {
  sigset_t mask;
  sigemptyset(&mask);
  for (int number = SIGRTMIN; number <= SIGRTMAX; number++) sigaddset(&mask, number);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  for (long value = 0; value < 300; value++)
    must(sigqueue(getpid(), SIGRTMIN + value % 7, (union sigval){.sival_ptr = (void *)(value * 0x100000001L)}));
  ready();
  siginfo_t info;
  for (int number = 0; number < 7; number++)
    for (long value = number; value < 300; value += 7) {
      must(sigwaitinfo(&mask, &info));
      equal("signal number", info.si_signo, SIGRTMIN + number);
      equal("value", (long)info.si_value.sival_ptr, value * 0x100000001L);
      equal("si_code", info.si_code, SI_QUEUE);
      equal("si_pid", info.si_pid, getpid());
      equal("si_uid", info.si_uid, getuid());
    }
  refused(sigtimedwait(&mask, &info, &(struct timespec){0}), EAGAIN);
  pass();
}
