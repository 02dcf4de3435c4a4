/* what: a file opened through a symbolic link that points elsewhere now */
/* spoil: dup2(open(link, O_RDONLY), fd) */
#include "../feature.h"

int main(void) {
  char *first = scratch("first"), *second = scratch("second"), *link = scratch("link"), text[16] = {0};
  write_text(first, "first");
  write_text(second, "second");
  must(symlink(first, link));
  int fd = must(open(link, O_RDONLY));
  must(unlink(link));
  must(symlink(second, link));
  ready();
  equal("bytes read", read(fd, text, 15), 5);
  check(strcmp(text, "first") == 0, "first, seen %s", text);
  pass();
}
