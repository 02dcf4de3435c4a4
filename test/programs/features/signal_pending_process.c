/* what: blocked standard signals pending for the process */
/* spoil: sigtimedwait(&mask, NULL, &(struct timespec){0}) */
#include "../feature.h"

static const int numbers[] = {SIGUSR1, SIGTERM, SIGHUP, SIGWINCH, SIGCHLD, SIGURG};
static volatile int counts[65];
static void on_signal(int number) { counts[number]++; }

int main(void) {
  sigset_t mask, pending;
  sigemptyset(&mask);
  for (int i = 0; i < 6; i++) {
    signal(numbers[i], on_signal);
    sigaddset(&mask, numbers[i]);
  }
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  for (int i = 0; i < 6; i++) must(kill(getpid(), numbers[i]));
  must(kill(getpid(), SIGUSR1));
  ready();
  must(sigpending(&pending));
  for (int number = 1; number <= 64; number++)
    check(sigismember(&pending, number) == sigismember(&mask, number), "signal %d pending: %d, seen the opposite", number, sigismember(&mask, number));
  must(sigprocmask(SIG_UNBLOCK, &mask, NULL));
  for (int i = 0; i < 6; i++) equal("deliveries of a pending signal", counts[numbers[i]], 1);
  pass();
}
