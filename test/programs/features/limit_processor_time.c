/* what: RLIMIT_CPU: SIGXCPU still comes */
/* spoil: setrlimit(RLIMIT_CPU, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}) */
#include "../feature.h"

static _Atomic int exceeded;
static void on_exceeded(int number) { (void)number, exceeded = 1; }

int main(void) {
  signal(SIGXCPU, on_exceeded);
  must(setrlimit(RLIMIT_CPU, &(struct rlimit){1, RLIM_INFINITY}));
  ready();
  struct rlimit limit;
  must(getrlimit(RLIMIT_CPU, &limit));
  long long began = now(CLOCK_PROCESS_CPUTIME_ID);
  while (!exceeded && now(CLOCK_PROCESS_CPUTIME_ID) - began < 4 * SECOND)
    for (volatile int spin = 0; spin < 100000; spin++) {}
  equal("SIGXCPU seen", exceeded, 1);
  equal("soft limit in seconds", limit.rlim_cur, 1);
  pass();
}
