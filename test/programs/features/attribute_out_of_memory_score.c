/* what: oom_score_adj and the filter of core dumps */
/* spoil: write_text("/proc/self/coredump_filter", "0x33") */
#include "../feature.h"

int main(void) {
  write_text("/proc/self/oom_score_adj", "321");
  write_text("/proc/self/coredump_filter", "0x5a");
  ready();
  equal("oom_score_adj", strtol(read_text("/proc/self/oom_score_adj"), NULL, 10), 321);
  equal("coredump_filter", strtol(read_text("/proc/self/coredump_filter"), NULL, 16), 0x5a);
  pass();
}
