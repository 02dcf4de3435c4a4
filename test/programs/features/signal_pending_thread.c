/* what: signals pending for one thread only */
/* spoil: go = 2 */
#include "../feature.h"

static _Atomic int waiting, go;

static void *hold(void *index) {
  sigset_t mask, pending;
  sigfillset(&mask);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  waiting++;
  while (!go) usleep(1000);
  if (go & 2) sigwaitinfo(&mask, NULL);
  must(sigpending(&pending));
  for (int number = 34; number < 50; number++)
    check(sigismember(&pending, number) == (number - 34 == (long)index), "signal %d pending for thread %ld only, seen for thread %ld: %d", number,
          (long)number - 34, (long)index, sigismember(&pending, number));
  equal("process-wide pending SIGUSR1", sigismember(&pending, SIGUSR1), 1);
  siginfo_t info;
  sigset_t own;
  sigemptyset(&own);
  sigaddset(&own, 34 + (long)index);
  must(syscall(SYS_rt_sigtimedwait, &own, &info, NULL, 8)); /* the C library turns SI_TKILL into SI_USER */
  equal("si_code", info.si_code, SI_TKILL);
  equal("si_pid", info.si_pid, getpid());
  return NULL;
}

int main(void) {
  struct worker *workers[4];
  sigset_t mask;
  sigfillset(&mask);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  for (long i = 0; i < 4; i++) workers[i] = start(hold, (void *)i);
  while (waiting < 4) usleep(1000);
  for (int i = 0; i < 4; i++) must(syscall(SYS_tgkill, getpid(), workers[i]->tid, 34 + i));
  must(kill(getpid(), SIGUSR1));
  ready();
  go |= 1;
  for (int i = 0; i < 4; i++) finish(workers[i]);
  pass();
}
