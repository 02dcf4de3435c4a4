/* what: POSIX shared memory whose name and descriptor are gone, as rings between processes have it */
/* needs: tree */
/* spoil: memory[size - 1] ^= 1 */
#include "../feature.h"

static const size_t size = 512 * KIB;
static char *memory;

static void rewrite(void *unused) {
  (void)unused;
  fill(memory + size / 2, size / 2, 95);
  settled();
  for (int nap = 0; nap < 70000 && ((_Atomic char *)memory)[0] != 1; nap++) usleep(1000);
  fill(memory + size / 2, size / 2, 96);
}

int main(void) {
  char name[64];
  snprintf(name, sizeof name, "/korrigan.feature.%d", getpid());
  int fd = must(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
  must(shm_unlink(name));
  must(ftruncate(fd, size));
  memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  must(close(fd));
  pid_t child = spawn(rewrite, NULL);
  ready();
  verify("what the child wrote", memory + size / 2, size / 2, 95);
  memory[0] = 1;
  join(child);
  verify("what the child wrote after the move", memory + size / 2, size / 2, 96);
  pass();
}
