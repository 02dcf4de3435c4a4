/* what: children made by clone with another exit signal, or with none */
/* needs: family */
/* spoil: waitpid(loud, NULL, __WALL) */
#include "../feature.h"

static _Atomic int got;
static void on_signal(int number) { (void)number, got++; }

static pid_t clone_with(int exit_signal) {
  pid_t child = must(syscall(SYS_clone, exit_signal, NULL, NULL, NULL, 0));
  if (child != 0) {
    spawned[spawned_count++] = child;
    return child;
  }
  spawned_count = 0;
  wait_go();
  usleep(20000);
  _exit(3);
}

int main(void) {
  int status;
  signal(SIGUSR1, on_signal);
  pid_t loud = clone_with(SIGUSR1), silent = clone_with(0);
  ready();
  refused(waitpid(loud, &status, WNOHANG), ECHILD);
  equal("pid", waitpid(loud, &status, __WCLONE), loud);
  equal("status", status, 3 << 8);
  equal("pid of the silent one", waitpid(silent, &status, __WALL), silent);
  equal("its status", status, 3 << 8);
  equal("exit signals", got, 1);
  pass();
}
