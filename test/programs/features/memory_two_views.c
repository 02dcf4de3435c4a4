/* what: one memfd mapped at two addresses: both still show the same memory */
/* spoil: mmap(second, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) */
#include "../feature.h"

int main(void) {
  size_t size = 16 * PAGE;
  int fd = must(memfd_create("views", 0));
  must(ftruncate(fd, size));
  char *first = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  char *second = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  fill(first, size, 8);
  ready();
  verify("second view", second, size, 8);
  fill(second, size, 9);
  verify("first view after writing through the second", first, size, 9);
  pass();
}
