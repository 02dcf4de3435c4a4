/* what: O_APPEND: writes go to the end, wherever the offset is and whoever else appended */
/* spoil: fcntl(fd, F_SETFL, 0) */
#include "../feature.h"

int main(void) {
  char text[32] = {0}, *path = scratch("file");
  int fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600));
  must(write(fd, "one ", 4));
  must(lseek(fd, 0, SEEK_SET));
  ready();
  equal("O_APPEND", must(fcntl(fd, F_GETFL)) & O_APPEND, O_APPEND);
  int other = must(open(path, O_WRONLY | O_APPEND));
  must(write(other, "two ", 4));
  must(write(fd, "three", 5));
  equal("size", pread(fd, text, sizeof text, 0), 13);
  check(strcmp(text, "one two three") == 0, "one two three, seen %s", text);
  pass();
}
