/* what: POSIX timer on CLOCK_BOOTTIME, absolute, that fires at its time */
/* needs: deadline */
/* spoil: timer_settime(timer, 0, &(struct itimerspec){.it_value = {0, 1}}, NULL) */
#include "../feature.h"

int main(void) {
  timer_t timer;
  sigset_t mask;
  siginfo_t info;
  sigemptyset(&mask);
  sigaddset(&mask, SIGALRM);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  long long at = now(CLOCK_BOOTTIME) + 1500 * MILLISECOND;
  must(timer_create(CLOCK_BOOTTIME, NULL, &timer));
  must(timer_settime(timer, TIMER_ABSTIME, &(struct itimerspec){.it_value = timespec_of(at)}, NULL));
  announce();
  must(sigwaitinfo(&mask, &info));
  within("lateness in ns", now(CLOCK_BOOTTIME) - at, 0, 1500 * MILLISECOND);
  equal("si_code", info.si_code, SI_TIMER);
  wait_go();
  pass();
}
