/* what: mlockall(MCL_FUTURE): what is mapped after the move is locked too */
/* needs: root */
/* spoil: munlockall() */
#include "../feature.h"

static long locked_kilobytes(void) {
  char *text = read_text("/proc/self/status");
  long kilobytes = strtol(strstr(text, "VmLck:") + 6, NULL, 10);
  free(text);
  return kilobytes;
}

int main(void) {
  free(read_text("/proc/self/status"));
  if (mlockall(MCL_FUTURE) != 0) skip("mlockall: %s", strerror(errno));
  ready();
  char *memory = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(memory != MAP_FAILED, "mmap of locked memory, seen %s", strerror(errno));
  long before = locked_kilobytes();
  must(munmap(memory, 64 * PAGE));
  equal("locked KiB that a new mapping of 256 KiB added", before - locked_kilobytes(), 256);
  pass();
}
