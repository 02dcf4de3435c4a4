/* what: a thread that is not the first is blocked in a wait for the child that it made (__WNOTHREAD) */
/* needs: family */
/* spoil: kill(child, SIGKILL) */
#include "../feature.h"

static _Atomic pid_t child;

static void end_later(void *unused) {
  (void)unused;
  settled();
  wait_go();
  usleep(100000);
  _exit(8);
}

static void *fork_and_wait(void *unused) {
  (void)unused;
  int status;
  child = spawn(end_later, NULL);
  equal("pid", waitpid(child, &status, __WNOTHREAD), child);
  equal("status", status, 8 << 8);
  return NULL;
}

int main(void) {
  struct worker *worker = start(fork_and_wait, NULL);
  while (!child) usleep(1000);
  until_blocked(worker->tid, SYS_wait4);
  ready();
  refused(waitpid(child, NULL, WNOHANG | __WNOTHREAD), ECHILD);
  finish(worker);
  pass();
}
