/* what: blocked in pause, in sigwaitinfo without a timeout: only the signals sent after the move end them */
/* spoil: interrupt(pausing->tid) */
#include "../feature.h"

static _Atomic int handled;
static void on_signal(int number) { (void)number, handled++; }

static void *pause_once(void *unused) {
  refused(syscall(SYS_pause), EINTR);
  equal("runs of the handler when pause returned", handled, 1);
  return unused;
}

static void *wait_signal(void *unused) {
  sigset_t mask;
  siginfo_t info;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &mask, NULL);
  int number = sigwaitinfo(&mask, &info);
  check(number == SIGUSR2, "sigwaitinfo to return %d, seen %d %s", SIGUSR2, number, number < 0 ? strerror(errno) : "");
  equal("si_pid", info.si_pid, getpid());
  return unused;
}

int main(void) {
  signal(SIGUSR1, on_signal);
  struct worker *pausing = start(pause_once, NULL), *waiting = start(wait_signal, NULL);
  until_blocked(pausing->tid, SYS_pause);
  until_blocked(waiting->tid, SYS_rt_sigtimedwait);
  ready();
  until_blocked(pausing->tid, SYS_pause);
  until_blocked(waiting->tid, SYS_rt_sigtimedwait);
  pthread_kill(pausing->thread, SIGUSR1);
  pthread_kill(waiting->thread, SIGUSR2);
  finish(pausing);
  finish(waiting);
  pass();
}
