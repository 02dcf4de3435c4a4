/* what: a child that leads a session of its own, with a member in another group of it */
/* needs: family */
/* spoil: waitpid(leader, NULL, 0) */
#include "../feature.h"

static void member_body(void *unused) {
  (void)unused;
  setpgid(0, 0);
  settled();
  wait_go();
  equal("session of the member", getsid(0), getppid());
  equal("group of the member", getpgrp(), getpid());
  refused(setpgid(0, getsid(getppid()) + 100000), EPERM);
  must(setpgid(0, getppid()));
}

static void lead(void *unused) {
  (void)unused;
  must(setsid());
  pid_t member = spawn(member_body, NULL);
  settled();
  wait_go();
  equal("session of the leader", getsid(0), getpid());
  equal("group of the leader", getpgrp(), getpid());
  equal("session of the member, seen by the leader", getsid(member), getpid());
  refused(setsid(), EPERM);
  join(member);
}

int main(void) {
  pid_t session = getsid(0), leader = spawn(lead, NULL);
  ready();
  equal("own session", getsid(0), session);
  equal("session of the child", getsid(leader), leader);
  join(leader);
  pass();
}
