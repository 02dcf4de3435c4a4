/* what: a blocked SIGCHLD pending with its siginfo, and the zombie it speaks of */
/* needs: family */
/* spoil: sigtimedwait(&mask, NULL, &(struct timespec){0}) */
#include "../feature.h"

static void end(void *unused) {
  (void)unused;
  settled();
  _exit(5);
}

int main(void) {
  sigset_t mask;
  siginfo_t info;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  pid_t child = spawn(end, NULL);
  until_state(child, 'Z');
  ready();
  equal("sigtimedwait", sigtimedwait(&mask, &info, &(struct timespec){0}), SIGCHLD);
  equal("si_code", info.si_code, CLD_EXITED);
  equal("si_pid", info.si_pid, child);
  equal("si_status", info.si_status, 5);
  refused(sigtimedwait(&mask, &info, &(struct timespec){0}), EAGAIN);
  int status = wait_status(child);
  equal("exit status of the zombie", WEXITSTATUS(status), 5);
  pass();
}
