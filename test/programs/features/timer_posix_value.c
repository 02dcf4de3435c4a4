/* what: timers that share a signal: each sends its own 64-bit sigev_value and timer id */
/* spoil: timer_settime(timers[2], 0, &(struct itimerspec){0}, NULL) */
#include "../feature.h"

int main(void) {
  timer_t timers[5];
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN + 9);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  for (long i = 0; i < 5; i++) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 9, .sigev_value.sival_ptr = (void *)(0x1234567800000000L + i)};
    must(timer_create(CLOCK_MONOTONIC, &event, &timers[i]));
    must(timer_settime(timers[i], 0, &(struct itimerspec){.it_value = {1, 100 * MILLISECOND * i}}, NULL));
  }
  ready();
  int seen = 0;
  for (int count = 0; count < 5; count++) {
    siginfo_t info;
    equal("sigtimedwait", sigtimedwait(&mask, &info, &(struct timespec){10, 0}), SIGRTMIN + 9);
    equal("si_code", info.si_code, SI_TIMER);
    long i = (long)info.si_value.sival_ptr - 0x1234567800000000L;
    within("the value's number", i, 0, 4);
    equal("timer id", info.si_timerid, (long)timers[i]);
    seen |= 1 << i;
  }
  equal("set of timers seen", seen, 31);
  pass();
}
