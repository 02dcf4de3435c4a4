/* what: a one-shot POSIX timer that expires while the process may be moving: exactly one signal */
/* spoil: timer_settime(timer, 0, &(struct itimerspec){.it_value = {0, 1}}, NULL), usleep(30000) */
#include "../feature.h"

static _Atomic int fired;
static void on_signal(int number) { (void)number, fired++; }

int main(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  must(sigaction(SIGRTMIN, &action, NULL));
  must(timer_create(CLOCK_MONOTONIC, &event, &timer));
  must(timer_settime(timer, 0, &(struct itimerspec){.it_value = {0, 15 * MILLISECOND}}, NULL));
  ready();
  nap_milliseconds(100);
  equal("signals of the timer", fired, 1);
  pass();
}
