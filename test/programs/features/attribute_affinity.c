/* what: the CPUs that a thread may use, another set in each thread */
/* spoil: sched_setaffinity(0, sizeof (cpu_set_t), &last) */
#include "../feature.h"

static cpu_set_t all, first, last;
static _Atomic int prepared, go;

static void *hold(void *unused) {
  cpu_set_t seen;
  must(sched_setaffinity(0, sizeof last, &last));
  prepared = 1;
  while (!go) usleep(1000);
  must(sched_getaffinity(0, sizeof seen, &seen));
  check(CPU_EQUAL(&seen, &last), "the last CPU alone for the thread, seen %d CPUs", CPU_COUNT(&seen));
  return unused;
}

int main(void) {
  cpu_set_t seen;
  int lowest = -1, highest = -1;
  must(sched_getaffinity(0, sizeof all, &all));
  if (CPU_COUNT(&all) < 2) skip("one CPU only");
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &all)) lowest = lowest < 0 ? cpu : lowest, highest = cpu;
  CPU_SET(lowest, &first);
  CPU_SET(highest, &last);
  struct worker *worker = start(hold, NULL);
  while (!prepared) usleep(1000);
  must(sched_setaffinity(0, sizeof first, &first));
  ready();
  must(sched_getaffinity(0, sizeof seen, &seen));
  check(CPU_EQUAL(&seen, &first), "the first CPU alone, seen %d CPUs", CPU_COUNT(&seen));
  equal("CPU", sched_getcpu(), lowest);
  go = 1;
  finish(worker);
  pass();
}
