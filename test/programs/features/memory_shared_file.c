/* what: MAP_SHARED file mapping: contents, and writes that reach the file */
/* spoil: mmap(memory, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) */
#include "../feature.h"

int main(void) {
  size_t size = 256 * KIB;
  int fd = must(open(scratch("file"), O_RDWR | O_CREAT | O_TRUNC, 0600));
  must(ftruncate(fd, size));
  char *memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  fill(memory, size, 5);
  ready();
  verify("mapping", memory, size, 5);
  fill(memory, size, 6);
  char *copy = malloc(size);
  equal("bytes read from the file", pread(fd, copy, size, 0), size);
  verify("file behind the mapping", copy, size, 6);
  equal("bytes written to the file", pwrite(fd, "written", 7, 8192), 7);
  check(memcmp(memory + 8192, "written", 7) == 0, "the mapping to show what was written to the file, seen %.7s", memory + 8192);
  pass();
}
