/* what: a child forked by a thread that is not the first: only that thread waits for it with __WNOTHREAD */
/* needs: family */
/* spoil: waitpid(child, NULL, __WALL) */
#include "../feature.h"

static _Atomic pid_t child;
static _Atomic int go;

static void end_later(void *unused) {
  (void)unused;
  settled();
  wait_go();
  _exit(8);
}

static void *fork_and_wait(void *unused) {
  (void)unused;
  int status;
  child = spawn(end_later, NULL);
  while (!go) usleep(1000);
  equal("pid", waitpid(child, &status, __WNOTHREAD), child);
  equal("status", status, 8 << 8);
  return NULL;
}

int main(void) {
  struct worker *worker = start(fork_and_wait, NULL);
  while (!child) usleep(1000);
  ready();
  refused(waitpid(child, NULL, WNOHANG | __WNOTHREAD), ECHILD);
  go = 1;
  finish(worker);
  pass();
}
