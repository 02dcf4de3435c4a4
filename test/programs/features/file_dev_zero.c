/* what: /dev/zero */
/* spoil: dup2(open("/dev/null", O_RDWR), fd) */
#include "../feature.h"

int main(void) {
  char bytes[64];
  int fd = must(open("/dev/zero", O_RDWR));
  ready();
  memset(bytes, 1, sizeof bytes);
  equal("bytes read", read(fd, bytes, sizeof bytes), sizeof bytes);
  for (int i = 0; i < 64; i++) equal("byte", bytes[i], 0);
  pass();
}
