/* what: two nested handlers in the middle of their work: masks inside, and the return through both frames */
/* spoil: sigprocmask(SIG_SETMASK, &(sigset_t){0}, NULL) */
#include "../feature.h"

static volatile int depth, order;

static void on_second(int number) {
  (void)number;
  sigset_t seen;
  depth++;
  ready();
  must(sigprocmask(SIG_SETMASK, NULL, &seen));
  equal("SIGUSR1 blocked in both handlers", sigismember(&seen, SIGUSR1), 1);
  equal("SIGUSR2 blocked in the second handler", sigismember(&seen, SIGUSR2), 1);
  equal("SIGHUP blocked by the mask of the first handler", sigismember(&seen, SIGHUP), 1);
  order = order * 10 + 2;
}

static void on_first(int number) {
  (void)number;
  sigset_t seen;
  depth++;
  raise(SIGUSR2);
  must(sigprocmask(SIG_SETMASK, NULL, &seen));
  equal("SIGUSR2 blocked after the second handler", sigismember(&seen, SIGUSR2), 0);
  order = order * 10 + 1;
}

int main(void) {
  double fraction = getpid() / 7.0, expected = fraction * 3;
  struct sigaction action = {.sa_handler = on_first};
  sigset_t seen;
  sigaddset(&action.sa_mask, SIGHUP);
  must(sigaction(SIGUSR1, &action, NULL));
  signal(SIGUSR2, on_second);
  raise(SIGUSR1);
  equal("handlers entered", depth, 2);
  equal("order of their ends", order, 21);
  check(fraction * 3 == expected, "the fraction %f, seen %f", expected, fraction * 3);
  must(sigprocmask(SIG_SETMASK, NULL, &seen));
  equal("SIGUSR1 blocked at the end", sigismember(&seen, SIGUSR1), 0);
  pass();
}
