/* what: the scheduling policy SCHED_DEADLINE */
/* needs: root, refusable */
/* spoil: sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}) */
#include "../feature.h"

struct attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

int main(void) {
  struct attributes attributes = {.size = sizeof attributes, .policy = 6, .runtime = 5000000, .deadline = 20000000, .period = 40000000}, seen = {0};
  if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) skip("SCHED_DEADLINE: %s", strerror(errno));
  ready();
  must(syscall(SYS_sched_getattr, 0, &seen, sizeof seen, 0));
  equal("policy", seen.policy, 6);
  equal("runtime", seen.runtime, 5000000);
  equal("deadline", seen.deadline, 20000000);
  equal("period", seen.period, 40000000);
  pass();
}
