/* what: a write lease on a file */
/* needs: refusable */
/* spoil: fcntl(fd, F_SETLEASE, F_UNLCK) */
#include "../feature.h"

int main(void) {
  int fd = must(open(scratch("file"), O_RDWR | O_CREAT | O_TRUNC, 0600));
  if (fcntl(fd, F_SETLEASE, F_WRLCK) != 0) skip("no leases here: %s", strerror(errno));
  ready();
  equal("lease", fcntl(fd, F_GETLEASE), F_WRLCK);
  pass();
}
