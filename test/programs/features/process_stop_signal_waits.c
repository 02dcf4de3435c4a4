/* what: the SIGCHLD of a child's stop waits for its parent, which blocks it and has taken the status already */
/* needs: family */
/* spoil: ({ sigset_t spoilt; sigemptyset(&spoilt); sigaddset(&spoilt, SIGCHLD); sigwaitinfo(&spoilt, NULL); }) */
#include "../feature.h"

static void hold(void *unused) {
  (void)unused;
  settled();
  for (;;) pause();
}

int main(void) {
  int status;
  siginfo_t told;
  sigset_t children;
  struct timespec now = {0};
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  must(sigprocmask(SIG_BLOCK, &children, NULL));
  pid_t child = spawn(hold, NULL);
  must(kill(child, SIGSTOP));
  must(waitpid(child, &status, WUNTRACED));
  ready();
  usleep(50000);
  equal("signal", sigtimedwait(&children, &told, &now), SIGCHLD);
  equal("si_pid", told.si_pid, child);
  equal("si_code", told.si_code, CLD_STOPPED);
  equal("si_status", told.si_status, SIGSTOP);
  refused(sigtimedwait(&children, NULL, &now), EAGAIN);
  equal("nothing to report", waitpid(child, &status, WNOHANG | WUNTRACED | WCONTINUED), 0);
  must(kill(child, SIGCONT));
  equal("pid", waitpid(child, &status, WCONTINUED), child);
  now.tv_sec = 5;
  equal("signal", sigtimedwait(&children, &told, &now), SIGCHLD);
  equal("si_code", told.si_code, CLD_CONTINUED);
  must(kill(child, SIGKILL));
  equal("wait status", wait_status(child), SIGKILL);
  pass();
}
