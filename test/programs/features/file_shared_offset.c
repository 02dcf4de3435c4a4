/* what: duplicated descriptors share one offset */
/* spoil: dup2(open(path, O_RDWR), copy) */
#include "../feature.h"

int main(void) {
  char *path = scratch("file"), byte;
  int fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600)), copy = must(dup2(fd, 77));
  must(write(fd, "0123456789", 10));
  must(lseek(fd, 2, SEEK_SET));
  ready();
  must(read(fd, &byte, 1));
  equal("first byte read", byte, '2');
  must(read(copy, &byte, 1));
  equal("byte read through the duplicate", byte, '3');
  must(lseek(copy, 8, SEEK_SET));
  must(read(fd, &byte, 1));
  equal("byte read after the duplicate was moved", byte, '8');
  equal("kcmp of both", syscall(SYS_kcmp, getpid(), getpid(), 0, fd, copy), 0);
  pass();
}
