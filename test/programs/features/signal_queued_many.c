/* what: 5,000 queued real-time signals */
/* spoil: sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 0}) */
#include "../feature.h"

int main(void) {
  sigset_t mask;
  siginfo_t info;
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  struct rlimit limit;
  must(getrlimit(RLIMIT_SIGPENDING, &limit));
  if (limit.rlim_cur < 6000) skip("only %lu signals may be pending", limit.rlim_cur);
  for (int value = 0; value < 5000; value++) must(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = value}));
  ready();
  for (int value = 0; value < 5000; value++) {
    must(sigwaitinfo(&mask, &info));
    equal("value", info.si_value.sival_int, value);
  }
  refused(sigtimedwait(&mask, &info, &(struct timespec){0}), EAGAIN);
  pass();
}
