/* what: sealed memfds that are mapped: one that is written through an older mapping only, one that nobody writes */
/* spoil: fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) */
#include "../feature.h"

int main(void) {
  size_t size = 4 * PAGE;
  int fd = must(memfd_create("future", MFD_ALLOW_SEALING)), frozen = must(memfd_create("frozen", MFD_ALLOW_SEALING));
  must(ftruncate(fd, size));
  must(ftruncate(frozen, size));
  char *memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  must(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE));
  fill(memory, size, 83);
  char *once = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, frozen, 0));
  fill(once, size, 84);
  must(munmap(once, size));
  must(fcntl(frozen, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL));
  char *view = must(mmap(NULL, size, PROT_READ, MAP_PRIVATE, frozen, 0));
  ready();
  equal("seals", fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE);
  equal("seals of the frozen one", fcntl(frozen, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  verify("sealed memory", memory, size, 83);
  verify("frozen memory", view, size, 84);
  fill(memory, size, 85);
  char seen[PAGE];
  equal("bytes read", pread(fd, seen, PAGE, 0), PAGE);
  verify("what was written through the mapping, by the descriptor", seen, PAGE, 85);
  refused(pwrite(fd, "x", 1, 0), EPERM);
  check(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED, "no further writable mapping, seen one");
  refused(ftruncate(fd, PAGE), EPERM);
  pass();
}
