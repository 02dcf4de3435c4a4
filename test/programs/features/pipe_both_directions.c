/* what: a FIFO opened for reading and writing by one descriptor */
/* spoil: read(fd, text, 1) */
#include "../feature.h"

int main(void) {
  char *path = scratch("fifo"), text[16] = {0};
  must(mkfifo(path, 0600));
  int fd = must(open(path, O_RDWR));
  must(write(fd, "in the fifo", 11));
  ready();
  equal("bytes read", read(fd, text, 15), 11);
  check(strcmp(text, "in the fifo") == 0, "in the fifo, seen %s", text);
  must(write(fd, "again", 5));
  equal("bytes read", read(fd, text, 15), 5);
  pass();
}
