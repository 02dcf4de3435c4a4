/* what: private and shared mappings of /dev/zero */
/* spoil: shared_memory[9] ^= 1 */
#include "../feature.h"

int main(void) {
  size_t size = 16 * PAGE;
  int fd = must(open("/dev/zero", O_RDWR | O_CLOEXEC));
  char *private_memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  char *shared_memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  must(close(fd));
  fill(private_memory, size / 2, 12);
  fill(shared_memory, size, 13);
  ready();
  verify("private mapping", private_memory, size / 2, 12);
  for (size_t i = size / 2; i < size; i++) equal("untouched byte", private_memory[i], 0);
  verify("shared mapping", shared_memory, size, 13);
  pass();
}
