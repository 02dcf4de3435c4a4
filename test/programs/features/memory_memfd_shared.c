/* what: a memfd that parent and child have mapped, the child without its descriptor and another part of it */
/* needs: tree */
/* spoil: mmap((void *)memory, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) */
#include "../feature.h"

static _Atomic unsigned *memory;
static size_t size = 64 * KIB;
static int fd;

static void answer(void *unused) {
  (void)unused;
  must(munmap((void *)memory, size));
  _Atomic unsigned *second = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, size / 2));
  must(close(fd));
  second[0] = 17;
  settled();
  for (int nap = 0; nap < 70000 && second[1] == 0; nap++) usleep(1000);
  second[size / 4 - 1] = second[1] + 1;
}

int main(void) {
  fd = must(memfd_create("ring", MFD_CLOEXEC));
  must(ftruncate(fd, size + size / 2));
  memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  pid_t child = spawn(answer, NULL);
  ready();
  equal("what the child wrote", memory[size / 8], 17);
  memory[size / 8 + 1] = 1000;
  join(child);
  unsigned last = 0;
  equal("bytes read", pread(fd, &last, sizeof last, size + size / 2 - sizeof last), sizeof last);
  equal("the child's answer, beyond this mapping", last, 1001);
  pass();
}
