/* what: real-time signals queued for single threads, with their values */
/* spoil: go = 2 */
#include "../feature.h"

static _Atomic int waiting, go;

static void *hold(void *index) {
  sigset_t mask;
  siginfo_t info;
  sigfillset(&mask);
  waiting++;
  while (!go) usleep(1000);
  if (go & 2) sigwaitinfo(&mask, NULL);
  for (int value = 0; value < 40; value++) {
    must(sigwaitinfo(&mask, &info));
    equal("signal number", info.si_signo, SIGRTMIN + 3);
    equal("value", info.si_value.sival_int, (long)index * 1000 + value);
    equal("si_code", info.si_code, SI_QUEUE);
  }
  refused(sigtimedwait(&mask, &info, &(struct timespec){0}), EAGAIN);
  return NULL;
}

int main(void) {
  struct worker *workers[4];
  sigset_t mask;
  sigfillset(&mask);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  for (long i = 0; i < 4; i++) workers[i] = start(hold, (void *)i);
  while (waiting < 4) usleep(1000);
  for (int value = 0; value < 40; value++)
    for (int i = 0; i < 4; i++)
      check(pthread_sigqueue(workers[i]->thread, SIGRTMIN + 3, (union sigval){.sival_int = i * 1000 + value}) == 0, "pthread_sigqueue to work, seen an error");
  ready();
  go |= 1;
  for (int i = 0; i < 4; i++) finish(workers[i]);
  pass();
}
