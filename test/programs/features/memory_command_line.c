/* what: the places of arguments and environment: a rewritten argv[0] shows in /proc/self/cmdline */
/* spoil: strcpy(argv[0], "y") */
#include "../feature.h"

int main(int argc, char **argv) {
  check(argc >= 1 && strlen(argv[0]) > 8, "a long argv[0], seen %s", argv[0]);
  memset(argv[0], 'x', 8);
  char *environment = read_text("/proc/self/environ");
  static char auxiliary[2][4096];
  int fd = must(open("/proc/self/auxv", O_RDONLY | O_CLOEXEC));
  ssize_t size = read(fd, auxiliary[0], sizeof auxiliary[0]);
  close(fd);
  ready();
  check(strncmp(read_text("/proc/self/cmdline"), "xxxxxxxx", 8) == 0, "a command line of x, seen %s", read_text("/proc/self/cmdline"));
  check(strcmp(read_text("/proc/self/environ"), environment) == 0, "the same environment, seen %s", read_text("/proc/self/environ"));
  fd = must(open("/proc/self/auxv", O_RDONLY | O_CLOEXEC));
  equal("size of the auxiliary vector", read(fd, auxiliary[1], sizeof auxiliary[1]), size);
  check(memcmp(auxiliary[0], auxiliary[1], size) == 0, "the same auxiliary vector, seen another");
  pass();
}
