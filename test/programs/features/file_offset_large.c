/* what: an offset beyond 4 GiB in a sparse file */
/* spoil: lseek(fd, 77, SEEK_SET) */
#include "../feature.h"

int main(void) {
  char text[8] = {0};
  off_t far = (5L << 30) + 12345;
  int fd = must(open(scratch("file"), O_RDWR | O_CREAT | O_TRUNC, 0600));
  equal("bytes written", pwrite(fd, "far away", 8, far), 8);
  must(lseek(fd, far, SEEK_SET));
  ready();
  equal("offset", lseek(fd, 0, SEEK_CUR), far);
  equal("bytes read", read(fd, text, 8), 8);
  check(memcmp(text, "far away", 8) == 0, "far away, seen %.8s", text);
  pass();
}
