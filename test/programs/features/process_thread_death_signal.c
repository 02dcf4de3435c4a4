/* what: PR_SET_PDEATHSIG of a child that another thread than the first made: it gets the signal at the end of that thread */
/* needs: family */
/* spoil: kill(child, SIGKILL) */
#include "../feature.h"
#include <sys/prctl.h>

static _Atomic pid_t child;
static _Atomic int end;

static void wait_for_signal(void *unused) {
  (void)unused;
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  must(prctl(PR_SET_PDEATHSIG, SIGUSR2, 0, 0, 0));
  settled();
  _exit(sigtimedwait(&mask, NULL, &(struct timespec){60, 0}) == SIGUSR2 ? 55 : 56);
}

static void *fork_and_end(void *unused) {
  (void)unused;
  child = spawn(wait_for_signal, NULL);
  while (!end) usleep(1000);
  return NULL;
}

int main(void) {
  struct worker *worker = start(fork_and_end, NULL);
  while (!child) usleep(1000);
  ready();
  usleep(20000);
  equal("no child that has ended", waitpid(child, NULL, WNOHANG), 0);
  end = 1;
  finish(worker);
  equal("wait status", wait_status(child), 55 << 8);
  pass();
}
