/* what: blocked in sigsuspend: its mask is in force until the signal comes, the old one afterwards */
/* spoil: interrupt(worker->tid) */
#include "../feature.h"

static _Atomic int handled, done;
static void on_signal(int number) { (void)number, handled++; }

static void *suspend(void *unused) {
  sigset_t all, but_one, seen;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  sigfillset(&but_one);
  sigdelset(&but_one, SIGUSR1);
  sigdelset(&but_one, SIGURG);
  refused(sigsuspend(&but_one), EINTR);
  equal("runs of the handler when sigsuspend returned", handled, 1);
  pthread_sigmask(SIG_SETMASK, NULL, &seen);
  equal("SIGUSR1 blocked again", sigismember(&seen, SIGUSR1), 1);
  equal("SIGUSR2 blocked", sigismember(&seen, SIGUSR2), 1);
  done = 1;
  return unused;
}

int main(void) {
  signal(SIGUSR1, on_signal);
  struct worker *worker = start(suspend, NULL);
  until_blocked(worker->tid, SYS_rt_sigsuspend);
  ready();
  pthread_kill(worker->thread, SIGUSR2);
  usleep(20000);
  until_blocked(worker->tid, SYS_rt_sigsuspend);
  equal("returned before its signal", done, 0);
  pthread_kill(worker->thread, SIGUSR1);
  finish(worker);
  pass();
}
