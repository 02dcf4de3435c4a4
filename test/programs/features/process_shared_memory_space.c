/* what: two processes in one address space (CLONE_VM without CLONE_THREAD) */
/* needs: tree, refusable */
/* spoil: kill(child, SIGKILL) */
#include "../feature.h"

static _Atomic int step;

static int other(void *unused) {
  (void)unused;
  step = 1;
  for (int nap = 0; nap < 80000 && step == 1; nap++) usleep(1000);
  step = 3;
  _exit(0);
}

int main(void) {
  char *stack = map_anonymous(64 * KIB, PROT_READ | PROT_WRITE);
  pid_t child = must(clone(other, stack + 64 * KIB, CLONE_VM | SIGCHLD, NULL));
  spawned[spawned_count++] = child;
  while (step != 1) usleep(1000);
  ready();
  step = 2;
  join(child);
  equal("step written by the other process", step, 3);
  pass();
}
