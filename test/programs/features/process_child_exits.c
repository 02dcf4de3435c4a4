/* what: a child that exits after the move: its status reaches the parent */
/* needs: family */
/* spoil: kill(child, SIGKILL), usleep(20000) */
#include "../feature.h"

static void end_later(void *unused) {
  (void)unused;
  settled();
  wait_go();
  usleep(50000);
  _exit(42);
}

int main(void) {
  siginfo_t info = {0};
  pid_t child = spawn(end_later, NULL);
  ready();
  must(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
  equal("si_code", info.si_code, CLD_EXITED);
  equal("si_status", info.si_status, 42);
  equal("si_pid", info.si_pid, child);
  equal("si_uid", info.si_uid, getuid());
  equal("wait status", wait_status(child), 42 << 8);
  refused(waitpid(-1, NULL, WNOHANG), ECHILD);
  pass();
}
