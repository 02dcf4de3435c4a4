/* what: memory locked by mlock */
/* spoil: munlock(memory, 8 * PAGE) */
#include "../feature.h"

static long locked_kilobytes(void) {
  char *line = strstr(read_text("/proc/self/status"), "VmLck:");
  return strtol(line + 6, NULL, 10);
}

int main(void) {
  char *memory = map_anonymous(8 * PAGE, PROT_READ | PROT_WRITE);
  fill(memory, 8 * PAGE, 31);
  if (mlock(memory, 8 * PAGE) != 0) skip("mlock: %s", strerror(errno));
  equal("locked KiB before the move", locked_kilobytes(), 32);
  ready();
  equal("locked KiB", locked_kilobytes(), 32);
  verify("locked memory", memory, 8 * PAGE, 31);
  pass();
}
