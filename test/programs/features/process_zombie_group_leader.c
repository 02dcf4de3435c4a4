/* what: a zombie that leads a process group with a living member */
/* needs: family */
/* spoil: waitpid(leader, NULL, 0), setpgid(member, 0) */
#include "../feature.h"

static void lead(void *unused) {
  (void)unused;
  setpgid(0, 0);
  settled();
  wait_go();
  for (;;) pause();
}

static pid_t leader;

static void follow(void *unused) {
  (void)unused;
  must(setpgid(0, leader));
  settled();
  for (;;) pause();
}

int main(void) {
  leader = spawn(lead, NULL);
  pid_t member = spawn(follow, NULL);
  must(kill(leader, SIGKILL));
  until_state(leader, 'Z');
  ready();
  equal("group of the member", getpgid(member), leader);
  must(kill(-leader, SIGUSR1));
  equal("status of the member", wait_status(member), SIGUSR1);
  equal("status of the leader", wait_status(leader), SIGKILL);
  refused(kill(-leader, 0), ESRCH);
  pass();
}
