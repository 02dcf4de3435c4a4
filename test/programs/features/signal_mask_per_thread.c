/* what: each thread has a signal mask of its own: a signal goes to the one that lets it in */
/* spoil: pthread_kill(workers[1]->thread, SIGUSR1) */
#include "../feature.h"

static _Atomic int waiting, go;
static _Atomic pid_t receiver;
static void on_signal(int number) { (void)number, receiver = gettid(); }

static void *hold(void *index) {
  sigset_t mask, seen;
  sigfillset(&mask);
  sigdelset(&mask, SIGRTMIN + (long)index);
  if ((long)index == 2) sigdelset(&mask, SIGUSR1);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  waiting++;
  while (!go) usleep(1000);
  pthread_sigmask(SIG_SETMASK, NULL, &seen);
  for (int number = 34; number <= 64; number++)
    check(sigismember(&seen, number) == (number != SIGRTMIN + (long)index), "the thread's own mask, seen signal %d blocked: %d", number, sigismember(&seen, number));
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  if ((long)index != 2) check(pthread_sigmask(SIG_UNBLOCK, &mask, NULL) == 0, "unblocking to work, seen an error");
  return NULL;
}

int main(void) {
  struct worker *workers[4];
  sigset_t mask;
  signal(SIGUSR1, on_signal);
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &mask, NULL);
  for (long i = 0; i < 4; i++) workers[i] = start(hold, (void *)i);
  while (waiting < 4) usleep(1000);
  ready();
  must(kill(getpid(), SIGUSR1));
  for (int nap = 0; nap < 5000 && !receiver; nap++) usleep(1000);
  equal("thread that received the signal", receiver, workers[2]->tid);
  receiver = 0;
  go = 1;
  for (int i = 0; i < 4; i++) finish(workers[i]);
  equal("thread that received a signal of the past", receiver, 0);
  pass();
}
