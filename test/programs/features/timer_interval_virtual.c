/* what: ITIMER_VIRTUAL: time left and interval; it goes on with the program's own processor time */
/* spoil: setitimer(ITIMER_VIRTUAL, &(struct itimerval){0}, NULL) */
#include "../feature.h"
#include <sys/time.h>

static _Atomic int expirations;
static void on_expiration(int number) { (void)number, expirations++; }

int main(void) {
  struct sigaction action = {.sa_handler = on_expiration, .sa_flags = SA_RESTART};
  must(sigaction(SIGVTALRM, &action, NULL));
  must(setitimer(ITIMER_VIRTUAL, &(struct itimerval){.it_value = {0, 300000}, .it_interval = {0, 40000}}, NULL));
  ready();
  struct itimerval timer;
  must(getitimer(ITIMER_VIRTUAL, &timer));
  equal("interval in us", timer.it_interval.tv_sec * 1000000 + timer.it_interval.tv_usec, 40000);
  within("microseconds left", timer.it_value.tv_sec * 1000000 + timer.it_value.tv_usec, 100000, 310000);
  equal("expirations while it waited", expirations, 0);
  long long limit = now(CLOCK_PROCESS_CPUTIME_ID) + 10 * SECOND;
  while (expirations < 3 && now(CLOCK_PROCESS_CPUTIME_ID) < limit)
    for (volatile int spin = 0; spin < 100000; spin++) {}
  check(expirations >= 3, "three expirations, seen %d", expirations);
  pass();
}
