/* what: blocked in wait4 and waitid for children that end after the move */
/* needs: family */
/* spoil: interrupt(workers[1]->tid) */
#include "../feature.h"

static pid_t children[2];

static void end_later(void *argument) {
  settled();
  wait_go();
  nap_milliseconds(200);
  _exit((int)(long)argument);
}

static void *collect(void *argument) {
  long which = (long)argument;
  int status = 0;
  siginfo_t info = {0};
  if (which == 0) {
    pid_t got = wait4(children[0], &status, 0, NULL);
    check(got == children[0], "wait4 to return %d, seen %d %s", children[0], got, strerror(errno));
    equal("exit status", WEXITSTATUS(status), 31);
  } else {
    int result = waitid(P_PID, children[1], &info, WEXITED);
    check(result == 0, "waitid to return 0, seen %s", strerror(errno));
    equal("si_pid", info.si_pid, children[1]);
    equal("si_status", info.si_status, 32);
  }
  return NULL;
}

int main(void) {
  struct worker *workers[2];
  children[0] = spawn(end_later, (void *)31);
  children[1] = spawn(end_later, (void *)32);
  for (long i = 0; i < 2; i++) workers[i] = start(collect, (void *)i);
  until_blocked(workers[0]->tid, SYS_wait4);
  until_blocked(workers[1]->tid, SYS_waitid);
  ready();
  for (int i = 0; i < 2; i++) finish(workers[i]);
  pass();
}
