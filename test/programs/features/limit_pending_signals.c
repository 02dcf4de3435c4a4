/* what: RLIMIT_SIGPENDING is in force after the move, while signals queued under a higher limit are kept */
/* spoil: sigwaitinfo(&mask, NULL) */
#include "../feature.h"

int main(void) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  for (int value = 0; value < 200; value++) must(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = value}));
  struct rlimit limit;
  must(getrlimit(RLIMIT_SIGPENDING, &limit));
  limit.rlim_cur = 100;
  must(setrlimit(RLIMIT_SIGPENDING, &limit));
  ready();
  refused(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 200}), EAGAIN);
  for (int value = 0; value < 200; value++) {
    siginfo_t info;
    must(sigtimedwait(&mask, &info, &(struct timespec){0}));
    equal("value", info.si_value.sival_int, value);
  }
  refused(sigtimedwait(&mask, NULL, &(struct timespec){0}), EAGAIN);
  pass();
}
