/* what: the mask of blocked signals, and delivery when one is unblocked */
/* spoil: sigdelset(&mask, SIGUSR2), sigprocmask(SIG_SETMASK, &mask, NULL) */
#include "../feature.h"

static volatile int count;
static void on_signal(int number) { (void)number, count++; }

int main(void) {
  sigset_t mask, seen, one;
  signal(SIGUSR2, on_signal);
  sigemptyset(&mask);
  for (int number = 1; number <= 64; number += 3) sigaddset(&mask, number);
  sigaddset(&mask, SIGUSR2);
  must(sigprocmask(SIG_SETMASK, &mask, NULL));
  must(sigprocmask(SIG_SETMASK, NULL, &mask));
  ready();
  sigemptyset(&seen);
  must(sigprocmask(SIG_SETMASK, NULL, &seen));
  for (int number = 1; number <= 64; number++)
    check(sigismember(&mask, number) == sigismember(&seen, number), "signal %d blocked: %d, seen the opposite", number, sigismember(&mask, number));
  raise(SIGUSR2);
  equal("signals delivered while blocked", count, 0);
  sigemptyset(&one);
  sigaddset(&one, SIGUSR2);
  must(sigprocmask(SIG_UNBLOCK, &one, NULL));
  equal("signals delivered when unblocked", count, 1);
  pass();
}
