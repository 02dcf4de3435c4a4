/* what: an exclusive flock */
/* spoil: flock(fd, LOCK_UN) */
#include "../feature.h"
#include <sys/file.h>

int main(void) {
  char *path = scratch("file");
  int fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  must(flock(fd, LOCK_EX));
  ready();
  int other = must(open(path, O_RDWR));
  refused(flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  refused(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
  must(flock(fd, LOCK_UN));
  must(flock(other, LOCK_EX | LOCK_NB));
  pass();
}
