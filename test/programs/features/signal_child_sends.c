/* what: signals with values that a child keeps sending to its parent while both move */
/* needs: family */
/* spoil: sigqueue(getpid(), SIGRTMIN + 5, (union sigval){.sival_int = 1}) */
#include "../feature.h"

static pid_t parent;

static void send(void *unused) {
  (void)unused;
  settled();
  int value = 0;
  for (; !gone(); usleep(500)) must(sigqueue(parent, SIGRTMIN + 5, (union sigval){.sival_int = value++}));
  for (int last = 0; last < 5; last++) must(sigqueue(parent, SIGRTMIN + 5, (union sigval){.sival_int = value++}));
  must(sigqueue(parent, SIGRTMIN + 6, (union sigval){.sival_int = value}));
}

int main(void) {
  sigset_t mask;
  siginfo_t info;
  parent = getpid();
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN + 5);
  sigaddset(&mask, SIGRTMIN + 6);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  pid_t child = spawn(send, NULL);
  announce();
  int value = 0;
  for (;; value++) {
    must(sigwaitinfo(&mask, &info));
    if (info.si_signo == SIGRTMIN + 6) break;
    equal("value", info.si_value.sival_int, value);
    equal("si_pid", info.si_pid, child);
  }
  equal("number of signals", value, info.si_value.sival_int);
  join(child);
  pass();
}
