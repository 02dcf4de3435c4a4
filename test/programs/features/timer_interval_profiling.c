/* what: ITIMER_PROF beside ITIMER_VIRTUAL: each keeps its own time left and interval, SIGPROF arrives */
/* spoil: setitimer(ITIMER_PROF, &(struct itimerval){0}, NULL) */
#include "../feature.h"
#include <sys/time.h>

static _Atomic int profiling;
static void on_profile(int number) { (void)number, profiling++; }

static long microseconds(struct timeval time) { return time.tv_sec * 1000000L + time.tv_usec; }

int main(void) {
  struct itimerval timer;
  struct sigaction action = {.sa_handler = on_profile, .sa_flags = SA_RESTART};
  must(sigaction(SIGPROF, &action, NULL));
  must(setitimer(ITIMER_PROF, &(struct itimerval){.it_value = {2, 0}, .it_interval = {0, 50000}}, NULL));
  must(setitimer(ITIMER_VIRTUAL, &(struct itimerval){.it_value = {3000, 0}, .it_interval = {7, 5000}}, NULL));
  ready();
  must(getitimer(ITIMER_VIRTUAL, &timer));
  equal("interval of ITIMER_VIRTUAL in us", microseconds(timer.it_interval), 7005000);
  within("ITIMER_VIRTUAL left in us", microseconds(timer.it_value), 2998000000L, 3000010000L);
  must(getitimer(ITIMER_PROF, &timer));
  equal("interval of ITIMER_PROF in us", microseconds(timer.it_interval), 50000);
  within("ITIMER_PROF left in us", microseconds(timer.it_value), 500000, 2010000);
  must(setitimer(ITIMER_PROF, &(struct itimerval){.it_value = {0, 1000}, .it_interval = {0, 50000}}, NULL));
  long long limit = now(CLOCK_PROCESS_CPUTIME_ID) + 10 * SECOND;
  while (profiling < 2 && now(CLOCK_PROCESS_CPUTIME_ID) < limit)
    for (volatile int spin = 0; spin < 100000; spin++) {}
  check(profiling >= 2, "two SIGPROF, seen %d", profiling);
  pass();
}
