/* what: the offset of an open file */
/* spoil: lseek(fd, 0, SEEK_SET) */
#include "../feature.h"

int main(void) {
  char text[16] = {0};
  int fd = must(open(scratch("file"), O_RDWR | O_CREAT | O_TRUNC, 0600));
  must(write(fd, "0123456789abcdef", 16));
  must(lseek(fd, 5, SEEK_SET));
  ready();
  equal("offset", lseek(fd, 0, SEEK_CUR), 5);
  equal("bytes read", read(fd, text, 3), 3);
  check(strcmp(text, "567") == 0, "567, seen %s", text);
  must(write(fd, "XY", 2));
  must(pread(fd, text, 12, 0));
  check(memcmp(text, "01234567XYab", 12) == 0, "01234567XYab in the file, seen %.12s", text);
  pass();
}
