/* what: one memfd mapped writable and executable at two places, as just-in-time compilers do */
/* spoil: mmap(writable, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) */
#include "../feature.h"

int main(void) {
  int fd = must(memfd_create("code", MFD_CLOEXEC));
  must(ftruncate(fd, PAGE));
  unsigned char *writable = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  int (*function)(void) = must(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0));
  must(close(fd));
  memcpy(writable, "\xb8\x2a\x00\x00\x00\xc3", 6); /* mov eax, 42; ret */
  equal("result before the move", function(), 42);
  ready();
  equal("result", function(), 42);
  writable[1] = 43;
  equal("result of the code changed through the other view", function(), 43);
  pass();
}
