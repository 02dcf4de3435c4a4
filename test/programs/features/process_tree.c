/* what: a tree of twenty working processes */
/* needs: family */
/* spoil: kill(-getpgrp(), SIGKILL) */
#include "../feature.h"

enum { COUNT = 20 };

static void work(void *pointer) {
  long number = (long)pointer;
  pid_t children[2] = {0, 0}, self = getpid(), parent = getppid();
  for (int i = 0; i < 2; i++)
    if (number * 2 + i + 1 < COUNT) children[i] = spawn(work, (void *)(number * 2 + i + 1));
  if (number > 0) settled(); else ready();
  uint64_t data[512];
  for (int round = 0; round < 5 || !gone(); round++) {
    fill(data, sizeof data, number + round);
    usleep(2000);
    verify("memory of a process", data, sizeof data, number + round);
    equal("getpid()", getpid(), self);
    equal("getppid()", getppid(), parent);
  }
  for (int i = 0; i < 2; i++)
    if (children[i]) equal("status of a child", wait_status(children[i]), (int)(number * 2 + i + 1) << 8);
  if (number > 0) _exit(number);
}

int main(void) {
  setpgid(0, 0);
  work((void *)0L);
  pass();
}
