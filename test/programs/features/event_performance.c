/* what: a performance counter (perf_event_open) */
/* needs: refusable */
/* spoil: ioctl(counter, PERF_EVENT_IOC_RESET, 0), ioctl(counter, PERF_EVENT_IOC_DISABLE, 0) */
#include "../feature.h"
#include <linux/perf_event.h>
#include <sys/ioctl.h>

static long long count(int counter) {
  long long value;
  equal("bytes of a counter", must(read(counter, &value, sizeof value)), sizeof value);
  return value;
}

int main(void) {
  struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .config = PERF_COUNT_SW_TASK_CLOCK, .exclude_kernel = 1};
  int counter = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
  if (counter < 0) skip("no performance counters: %s", strerror(errno));
  for (volatile int spin = 0; spin < 10000000; spin++) {}
  long long before = count(counter);
  ready();
  check(count(counter) >= before && before > 0, "a count of %lld ns or more, seen %lld", before, count(counter));
  pass();
}
