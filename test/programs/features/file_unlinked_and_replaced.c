/* what: an open file that was unlinked and whose name another file bears now */
/* spoil: dup2(open(path, O_RDWR), fd) */
#include "../feature.h"

int main(void) {
  char *path = scratch("file"), text[16] = {0};
  int fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  must(write(fd, "the old one", 11));
  must(unlink(path));
  write_text(path, "the new one");
  ready();
  equal("bytes read", pread(fd, text, 15, 0), 11);
  check(strcmp(text, "the old one") == 0, "the old one, seen %s", text);
  check(strcmp(read_text(path), "the new one") == 0, "the new one under its name, seen %s", read_text(path));
  pass();
}
