/* what: a memfd that is larger than what is mapped of it */
/* spoil: pwrite(fd, "x", 1, 3 * MIB) */
#include "../feature.h"

int main(void) {
  size_t size = 4 * MIB;
  char *data = map_anonymous(MIB, PROT_READ | PROT_WRITE);
  int fd = must(memfd_create("larger", MFD_CLOEXEC));
  must(ftruncate(fd, size + 100));
  fill(data, MIB, 86);
  equal("bytes written", pwrite(fd, data, MIB, 3 * MIB), MIB);
  must(pwrite(fd, "end", 3, size + 97));
  char *memory = must(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, MIB));
  fill(memory, 2 * PAGE, 87);
  ready();
  struct stat status;
  must(fstat(fd, &status));
  equal("size", status.st_size, size + 100);
  check((size_t)status.st_blocks * 512 < 2 * MIB, "a file with holes, seen %ld blocks", (long)status.st_blocks);
  verify("the mapping", memory, 2 * PAGE, 87);
  equal("bytes read", pread(fd, data, MIB, 3 * MIB), MIB);
  verify("the file beyond the mapping", data, MIB, 86);
  char end[4] = {0};
  equal("bytes at the end", pread(fd, end, 4, size + 97), 3);
  check(strcmp(end, "end") == 0, "the last bytes \"end\", seen %s", end);
  fill(memory, 2 * PAGE, 88);
  equal("bytes read again", pread(fd, data, 2 * PAGE, MIB), 2 * PAGE);
  verify("the file below the mapping", data, 2 * PAGE, 88);
  pass();
}
