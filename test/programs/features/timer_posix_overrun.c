/* what: a periodic timer whose signal stays blocked: one signal pending, and all expirations before, during and after the move count as its overrun */
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
  nap_milliseconds(20);
  ready();
  equal("sigtimedwait", sigtimedwait(&mask, &info, &(struct timespec){10, 0}), SIGRTMIN + 1);
  long long taken = now(CLOCK_MONOTONIC);
  equal("si_code", info.si_code, SI_TIMER);
  within("overrun", info.si_overrun, (taken - armed) / (2 * MILLISECOND) - 2, (taken - armed) / (2 * MILLISECOND));
  equal("the next signal", sigtimedwait(&mask, &info, &(struct timespec){10, 0}), SIGRTMIN + 1);
  within("overrun of the next signal", info.si_overrun, 0, (now(CLOCK_MONOTONIC) - taken) / (2 * MILLISECOND) + 1);
  pass();
}
