/* what: PR_SET_PDEATHSIG: a grandchild gets the signal when its parent dies after the move */
/* needs: family */
/* spoil: waitpid(child, NULL, 0) */
#include "../feature.h"
#include <sys/prctl.h>

static void grandchild(void *unused) {
  (void)unused;
  sigset_t mask;
  siginfo_t info;
  int value = 0;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  must(prctl(PR_SET_PDEATHSIG, SIGUSR2, 0, 0, 0));
  settled();
  wait_go();
  must(prctl(PR_GET_PDEATHSIG, &value, 0, 0, 0));
  equal("parent-death signal", value, SIGUSR2);
  _exit(sigtimedwait(&mask, &info, &(struct timespec){20, 0}) == SIGUSR2 ? 55 : 56);
}

static void middle(void *unused) {
  (void)unused;
  spawn(grandchild, NULL);
  settled();
  wait_go();
  usleep(100000);
}

int main(void) {
  int status;
  must(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
  pid_t child = spawn(middle, NULL);
  ready();
  join(child);
  check(waitpid(-1, &status, 0) > 0, "the grandchild, seen %s", strerror(errno));
  equal("its status", status, 55 << 8);
  pass();
}
