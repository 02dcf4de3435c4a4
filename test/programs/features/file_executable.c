/* what: /proc/self/exe and the program's own file, open */
/* spoil: dup2(open("/dev/null", O_RDONLY), fd) */
#include "../feature.h"

int main(void) {
  char before[PATH_MAX] = {0}, after[PATH_MAX] = {0}, magic[4];
  must(readlink("/proc/self/exe", before, sizeof before - 1));
  int fd = must(open("/proc/self/exe", O_RDONLY));
  ready();
  must(readlink("/proc/self/exe", after, sizeof after - 1));
  check(strcmp(before, after) == 0, "%s, seen %s", before, after);
  equal("bytes read", pread(fd, magic, 4, 0), 4);
  check(memcmp(magic, "\177ELF", 4) == 0, "an ELF file, seen something else");
  pass();
}
