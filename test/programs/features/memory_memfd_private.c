/* what: MAP_PRIVATE mapping of a memfd: written pages are the process's own, the others follow the memfd */
/* spoil: memory[4 * PAGE] ^= 1 */
#include "../feature.h"

int main(void) {
  size_t size = 16 * PAGE;
  int fd = must(memfd_create("private", MFD_CLOEXEC));
  must(ftruncate(fd, size));
  char *shared = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  fill(shared, size, 89);
  char *memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  fill(memory + 4 * PAGE, PAGE, 90);
  must(mprotect(memory + 4 * PAGE, PAGE, PROT_READ));
  ready();
  verify("memfd", shared, size, 89);
  check(memcmp(memory, shared, 4 * PAGE) == 0, "pages as in the memfd, seen others");
  verify("written page", memory + 4 * PAGE, PAGE, 90);
  fill(shared + 8 * PAGE, PAGE, 91);
  verify("page that follows the memfd", memory + 8 * PAGE, PAGE, 91);
  fill(shared + 4 * PAGE, PAGE, 92);
  verify("written page, apart from the memfd", memory + 4 * PAGE, PAGE, 90);
  pass();
}
