/* what: two shared flocks: another shared one fits, an exclusive one only when both are gone */
/* spoil: flock(second, LOCK_UN) */
#include "../feature.h"
#include <sys/file.h>

int main(void) {
  char *path = scratch("file");
  int first = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600)), second = must(open(path, O_RDONLY));
  must(flock(first, LOCK_SH));
  must(flock(second, LOCK_SH));
  ready();
  int other = must(open(path, O_RDWR));
  refused(flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  must(flock(other, LOCK_SH | LOCK_NB));
  must(flock(other, LOCK_UN));
  must(close(first));
  refused(flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  must(close(second));
  must(flock(other, LOCK_EX | LOCK_NB));
  pass();
}
