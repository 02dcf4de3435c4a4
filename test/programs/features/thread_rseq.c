/* what: the restartable-sequences area of each thread: registered, and kept up to date by the kernel */
/* spoil: syscall(SYS_rseq, area, 32, 1, 0x53053053) */
#include "../feature.h"
#include <sys/rseq.h>

static _Atomic int go, waiting;

static volatile struct rseq *own_area(void) { return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset); }

static void check_area(volatile struct rseq *area) {
  for (int turn = 0; turn < 1000; turn++) {
    int before = area->cpu_id, cpu = sched_getcpu(), after = area->cpu_id;
    if (before != after) continue;
    equal("cpu_id in the rseq area", before, cpu);
  }
  /* Registering the same area again: EBUSY says that it is registered. */
  refused(syscall(SYS_rseq, area, 32, 0, RSEQ_SIG), EBUSY);
  cpu_set_t all, one;
  sched_getaffinity(0, sizeof all, &all);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &all)) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    must(sched_setaffinity(0, sizeof one, &one));
    equal("cpu_id after moving to that cpu", area->cpu_id, cpu);
  }
  sched_setaffinity(0, sizeof all, &all);
}

static void *hold(void *unused) {
  (void)unused;
  waiting++;
  while (!go) usleep(1000);
  check_area(own_area());
  return NULL;
}

int main(void) {
  volatile struct rseq *area = own_area();
  if (__rseq_size == 0 || (int)area->cpu_id < 0) skip("rseq is not registered");
  struct worker *worker = start(hold, NULL);
  while (!waiting) usleep(1000);
  ready();
  go = 1;
  check_area(area);
  finish(worker);
  pass();
}
