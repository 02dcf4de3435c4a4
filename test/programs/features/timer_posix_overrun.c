/* what: a periodic timer whose signal stays blocked: one signal pending, the expirations since then are counted as its overrun */
/* spoil: timer_settime(timer, 0, &(struct itimerspec){0}, NULL) */
#include "../feature.h"

int main(void) {
  timer_t timer;
  sigset_t mask;
  siginfo_t info;
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN + 1);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  must(timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1}, &timer));
  long long armed = now(CLOCK_MONOTONIC);
  must(timer_settime(timer, 0, &(struct itimerspec){.it_value = {0, 2000000}, .it_interval = {0, 2000000}}, NULL));
  nap_milliseconds(50);
  ready();
  equal("sigtimedwait", sigtimedwait(&mask, &info, &(struct timespec){10, 0}), SIGRTMIN + 1);
  equal("si_code", info.si_code, SI_TIMER);
  long long periods = (now(CLOCK_MONOTONIC) - armed) / (2 * MILLISECOND);
  /* The instants before the move count, those of the move itself and after it as well. */
  within("overrun", info.si_overrun, periods * 9 / 10 - 10, periods);
  equal("the next signal", sigtimedwait(&mask, &info, &(struct timespec){10, 0}), SIGRTMIN + 1);
  pass();
}
