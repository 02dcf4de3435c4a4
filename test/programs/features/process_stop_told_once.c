/* what: a child whose stop was told by SIGCHLD and taken by wait: neither comes a second time */
/* needs: family */
/* spoil: raise(SIGCHLD) */
#include "../feature.h"

static volatile siginfo_t seen[8];
static _Atomic int count;

static void on_child(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  if (count < 8) *(siginfo_t *)&seen[count] = *info;
  count++;
}

static void hold(void *unused) {
  (void)unused;
  settled();
  for (;;) pause();
}

static void expect(int index, pid_t child, int code, int status) {
  for (int nap = 0; nap < 5000 && count <= index; nap++) usleep(1000);
  check(count > index, "SIGCHLD number %d, seen %d", index + 1, count);
  equal("si_pid", seen[index].si_pid, child);
  equal("si_code", seen[index].si_code, code);
  equal("si_status", seen[index].si_status, status);
}

int main(void) {
  int status;
  struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART}, kept;
  must(sigaction(SIGCHLD, &action, NULL));
  pid_t child = spawn(hold, NULL);
  must(kill(child, SIGSTOP));
  expect(0, child, CLD_STOPPED, SIGSTOP);
  equal("pid", waitpid(child, &status, WUNTRACED), child);
  ready();
  usleep(50000);
  equal("SIGCHLDs before anything more happened", count, 1);
  must(sigaction(SIGCHLD, NULL, &kept));
  equal("flags of the action", kept.sa_flags & (SA_NOCLDSTOP | SA_SIGINFO | SA_RESTART), SA_SIGINFO | SA_RESTART);
  equal("nothing to report", waitpid(child, &status, WNOHANG | WUNTRACED | WCONTINUED), 0);
  must(kill(child, SIGCONT));
  expect(1, child, CLD_CONTINUED, SIGCONT);
  equal("pid", waitpid(child, &status, WCONTINUED), child);
  must(kill(child, SIGTERM));
  expect(2, child, CLD_KILLED, SIGTERM);
  equal("wait status", wait_status(child), SIGTERM);
  equal("SIGCHLDs in all", count, 3);
  pass();
}
