/* what: a periodic timer whose signal is ignored: it fires again as soon as there is a handler */
/* spoil: timer_settime(timer, 0, &(struct itimerspec){0}, NULL) */
#include "../feature.h"

static _Atomic int ticks;
static void on_tick(int number) { (void)number, ticks++; }

int main(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
  signal(SIGUSR2, SIG_IGN);
  must(timer_create(CLOCK_MONOTONIC, &event, &timer));
  must(timer_settime(timer, 0, &(struct itimerspec){{0, 10 * MILLISECOND}, {0, 10 * MILLISECOND}}, NULL));
  nap_milliseconds(30);
  ready();
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  must(sigaction(SIGUSR2, &action, NULL));
  for (int nap = 0; nap < 3000 && ticks < 3; nap++) usleep(1000);
  check(ticks >= 3, "three ticks, seen %d", ticks);
  pass();
}
