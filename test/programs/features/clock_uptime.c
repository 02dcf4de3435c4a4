/* what: the uptime that sysinfo and /proc/uptime tell agrees with CLOCK_BOOTTIME */
/* spoil: shift = 5 */
#include "../feature.h"
#include <sys/sysinfo.h>

static int shift;

int main(void) {
  struct sysinfo info;
  free(read_text("/proc/uptime"));
  must(sysinfo(&info));
  long long before = now(CLOCK_BOOTTIME) / SECOND - info.uptime;
  ready();
  must(sysinfo(&info));
  within("seconds between CLOCK_BOOTTIME and sysinfo, against before", now(CLOCK_BOOTTIME) / SECOND - info.uptime - before + shift, -1, 1);
  double uptime = strtod(read_text("/proc/uptime"), NULL);
  within("seconds between CLOCK_BOOTTIME and /proc/uptime", now(CLOCK_BOOTTIME) / SECOND - (long long)uptime, -1, 1);
  pass();
}
