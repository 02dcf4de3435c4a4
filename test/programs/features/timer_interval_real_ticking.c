/* what: ITIMER_REAL ticking every 5 ms during the move: it goes on, at its rate */
/* spoil: setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL) */
#include "../feature.h"
#include <sys/time.h>

static _Atomic long ticks;
static void on_tick(int number) { (void)number, ticks++; }

int main(void) {
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  must(sigaction(SIGALRM, &action, NULL));
  must(setitimer(ITIMER_REAL, &(struct itimerval){{0, 5000}, {0, 5000}}, NULL));
  long long begin = now(CLOCK_MONOTONIC);
  ready();
  long at_go = ticks;
  check(at_go <= (now(CLOCK_MONOTONIC) - begin) / (5 * MILLISECOND) + 1, "no more ticks than intervals, seen %ld", at_go);
  for (int nap = 0; nap < 5000 && ticks < at_go + 10; nap++) usleep(1000);
  check(ticks >= at_go + 10, "ten more ticks, seen %ld", ticks - at_go);
  long before = ticks;
  long long start = now(CLOCK_MONOTONIC);
  nap_milliseconds(300);
  within("ticks in 300 ms", (ticks - before) * 300 * MILLISECOND / (now(CLOCK_MONOTONIC) - start), 10, 62);
  pass();
}
