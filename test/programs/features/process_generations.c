/* what: a chain of ten generations, each waiting for the next */
/* needs: family */
/* spoil: kill(-getpgrp(), SIGKILL) */
#include "../feature.h"

static void generation(void *pointer) {
  long number = (long)pointer;
  if (number == 0) {
    settled();
    wait_go();
    _exit(1);
  }
  pid_t child = spawn(generation, (void *)(number - 1));
  settled();
  int status = wait_status(child);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) + 1 : 200);
}

int main(void) {
  setpgid(0, 0);
  pid_t child = spawn(generation, (void *)9L);
  ready();
  equal("generations, summed up in the exit status", wait_status(child), 10 << 8);
  pass();
}
