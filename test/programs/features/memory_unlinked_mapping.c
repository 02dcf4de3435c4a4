/* what: shared mapping of a file that was unlinked and closed */
/* spoil: memory[size - 8] ^= 1 */
#include "../feature.h"

int main(void) {
  size_t size = 16 * PAGE;
  char *path = scratch("file");
  int fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  must(ftruncate(fd, size));
  char *memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  fill(memory, size, 10);
  must(unlink(path));
  must(close(fd));
  ready();
  verify("mapping of an unlinked file", memory, size, 10);
  fill(memory, size, 11);
  verify("mapping rewritten", memory, size, 11);
  refused(access(path, F_OK), ENOENT);
  pass();
}
