/* what: a child killed after the move: the signal and the core bit in its status */
/* needs: family */
/* spoil: kill(child, SIGTERM), usleep(20000) */
#include "../feature.h"

static void hold(void *unused) {
  (void)unused;
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  settled();
  for (;;) pause();
}

int main(void) {
  pid_t child = spawn(hold, NULL);
  ready();
  must(kill(child, SIGQUIT));
  int status = wait_status(child);
  check(WIFSIGNALED(status), "an end by signal, seen status 0x%x", status);
  equal("signal", WTERMSIG(status), SIGQUIT);
  equal("core", WCOREDUMP(status) != 0, 0);
  pass();
}
