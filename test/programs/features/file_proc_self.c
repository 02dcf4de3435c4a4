/* what: an open file of /proc/self */
/* needs: refusable */
/* spoil: dup2(open("/dev/null", O_RDONLY), fd) */
#include "../feature.h"

int main(void) {
  char text[4096] = {0}, expected[32];
  int fd = must(open("/proc/self/status", O_RDONLY));
  ready();
  check(pread(fd, text, sizeof text - 1, 0) > 0, "text, seen none");
  snprintf(expected, sizeof expected, "\nPid:\t%d\n", getpid());
  check(strstr(text, expected) != NULL, "the process's own pid in its status, seen %s", text);
  pass();
}
