/* what: /dev/null, open for reading and writing */
/* spoil: dup2(open("/dev/zero", O_RDWR), fd) */
#include "../feature.h"

int main(void) {
  char byte;
  int fd = must(open("/dev/null", O_RDWR));
  ready();
  equal("bytes read", read(fd, &byte, 1), 0);
  equal("bytes written", write(fd, "x", 1), 1);
  struct stat status;
  must(fstat(fd, &status));
  equal("device", status.st_rdev, 0x103);
  pass();
}
