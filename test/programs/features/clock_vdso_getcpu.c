/* what: getcpu, time and gettimeofday through the vDSO in a loop while the process moves */
/* needs: busy */
/* spoil: extra = cpus */
#include "../feature.h"
#include <sys/time.h>

static _Atomic int stop, extra;
static long cpus;

static void *loop(void *unused) {
  (void)unused;
  long laps = 0;
  time_t before = time(NULL);
  do {
    int cpu = sched_getcpu() + extra;
    check(cpu >= 0 && cpu < cpus, "a cpu below %ld, seen %d", cpus, cpu);
    struct timeval fine;
    time_t coarse = time(NULL);
    must(gettimeofday(&fine, NULL));
    check(fine.tv_sec >= coarse && fine.tv_sec - coarse < 5, "the same second from time and gettimeofday, seen %ld and %ld", coarse, fine.tv_sec);
    check(coarse >= before, "time not before %ld, seen %ld", before, coarse);
    before = coarse;
    laps++;
  } while (!stop);
  return (void *)laps;
}

int main(void) {
  cpus = sysconf(_SC_NPROCESSORS_CONF);
  struct worker *worker = start(loop, NULL);
  ready();
  usleep(20000);
  stop = 1;
  check((long)finish(worker) > 0, "laps of the loop, seen none");
  pass();
}
