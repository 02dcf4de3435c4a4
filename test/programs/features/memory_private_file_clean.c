/* what: MAP_PRIVATE file mapping that was never written still shows the file */
/* spoil: mmap(memory, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) */
#include "../feature.h"

int main(void) {
  size_t size = 32 * PAGE;
  char *contents = malloc(size);
  fill(contents, size, 7);
  int fd = must(open(scratch("file"), O_RDWR | O_CREAT | O_TRUNC, 0600));
  equal("bytes written", write(fd, contents, size), size);
  char *memory = must(mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0));
  volatile char first = memory[0];
  close(fd);
  ready();
  check(first == memory[0], "the same first byte, seen another");
  verify("mapped file", memory, size, 7);
  check(strstr(read_text("/proc/self/maps"), scratch_paths[0]) != NULL, "the file's path in /proc/self/maps, seen none");
  pass();
}
