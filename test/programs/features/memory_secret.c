/* what: secret memory (memfd_secret), which nobody else can read */
/* needs: refusable */
/* spoil: memory[9] ^= 1 */
#include "../feature.h"

int main(void) {
  int fd = syscall(SYS_memfd_secret, 0);
  if (fd < 0) skip("no secret memory: %s", strerror(errno));
  must(ftruncate(fd, 4 * PAGE));
  char *memory = must(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  fill(memory, 4 * PAGE, 74);
  ready();
  verify("secret memory", memory, 4 * PAGE, 74);
  pass();
}
