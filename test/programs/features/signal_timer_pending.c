/* what: a pending signal of an expired timer: its siginfo, and delivered once */
/* spoil: sigtimedwait(&mask, NULL, &(struct timespec){0}) */
#include "../feature.h"

int main(void) {
  timer_t timer;
  sigset_t mask;
  siginfo_t info;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 4, .sigev_value.sival_ptr = (void *)0x77665544332211L};
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN + 4);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  must(timer_create(CLOCK_MONOTONIC, &event, &timer));
  must(timer_settime(timer, 0, &(struct itimerspec){.it_value = {0, 1000000}}, NULL));
  sigset_t pending;
  do {
    usleep(1000);
    sigpending(&pending);
  } while (!sigismember(&pending, SIGRTMIN + 4));
  ready();
  equal("sigtimedwait", sigtimedwait(&mask, &info, &(struct timespec){0}), SIGRTMIN + 4);
  equal("si_code", info.si_code, SI_TIMER);
  equal("value", (long)info.si_value.sival_ptr, 0x77665544332211L);
  equal("si_timerid", info.si_timerid, (long)timer);
  equal("si_overrun", info.si_overrun, 0);
  refused(sigtimedwait(&mask, &info, &(struct timespec){.tv_nsec = 50 * MILLISECOND}), EAGAIN);
  must(timer_settime(timer, 0, &(struct itimerspec){.it_value = {0, 1000000}}, NULL));
  equal("the timer armed again", sigwaitinfo(&mask, &info), SIGRTMIN + 4);
  pass();
}
