/* what: a POSIX shared memory object, mapped */
/* needs: refusable */
/* spoil: memory[5] ^= 1 */
#include "../feature.h"

int main(void) {
  char name[64];
  snprintf(name, sizeof name, "/korrigan.feature.%d", getpid());
  int fd = must(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
  must(ftruncate(fd, 16 * PAGE));
  char *memory = must(mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  fill(memory, 16 * PAGE, 42);
  snprintf(scratch_paths[0], sizeof scratch_paths[0], "/dev/shm%s", name);
  scratch_count = 1;
  scratch_owner = getpid();
  ready();
  verify("shared memory object", memory, 16 * PAGE, 42);
  char *again = must(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, must(shm_open(name, O_RDONLY, 0)), 0));
  check(memcmp(again, memory, PAGE) == 0, "the same memory under its name, seen another");
  must(shm_unlink(name));
  pass();
}
