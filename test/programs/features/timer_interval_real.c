/* what: ITIMER_REAL: its interval, the time left, SIGALRM at the deadline that was set before the move */
/* spoil: setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL) */
#include "../feature.h"
#include <sys/time.h>

static long long armed_at;
static _Atomic long long first_at;
static _Atomic int alarms;

static void on_alarm(int number) {
  (void)number;
  if (alarms++ == 0) first_at = now(CLOCK_MONOTONIC);
}

int main(void) {
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  must(sigaction(SIGALRM, &action, NULL));
  armed_at = now(CLOCK_MONOTONIC);
  must(setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {1, 500000}, .it_interval = {0, 70000}}, NULL));
  ready();
  struct itimerval timer;
  must(getitimer(ITIMER_REAL, &timer));
  equal("interval in us", timer.it_interval.tv_sec * 1000000 + timer.it_interval.tv_usec, 70000);
  within("microseconds left", timer.it_value.tv_sec * 1000000 + timer.it_value.tv_usec, 1, 1500000);
  for (int nap = 0; nap < 500 && alarms < 3; nap++) nap_milliseconds(10);
  check(alarms >= 3, "the alarm again and again, seen %d alarms", alarms);
  within("nanoseconds from arming to the first alarm", first_at - armed_at, 1499 * MILLISECOND, 3 * SECOND);
  pass();
}
