/* what: an open file that was renamed */
/* spoil: dup2(open("/dev/null", O_RDWR), fd) */
#include "../feature.h"

int main(void) {
  char *path = scratch("file"), *other = scratch("renamed"), text[16] = {0};
  int fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  must(write(fd, "contents", 8));
  must(rename(path, other));
  ready();
  equal("bytes read", pread(fd, text, 15, 0), 8);
  must(write(fd, " more", 5));
  check(strcmp(read_text(other), "contents more") == 0, "contents more in the renamed file, seen %s", read_text(other));
  pass();
}
