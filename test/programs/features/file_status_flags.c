/* what: access modes and status flags (O_NONBLOCK, O_SYNC, O_DSYNC, O_NOATIME, O_DIRECTORY) of open files */
/* spoil: fcntl(fds[2], F_SETFL, O_NONBLOCK) */
#include "../feature.h"

int main(void) {
  static const int flags[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_NONBLOCK, O_WRONLY | O_SYNC, O_RDWR | O_DSYNC, O_RDONLY | O_NOATIME, O_RDWR | O_APPEND | O_NONBLOCK};
  int fds[9], before[9];
  char *path = scratch("file"), byte;
  close(must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600)));
  for (int i = 0; i < 8; i++) fds[i] = must(open(path, flags[i]));
  fds[8] = must(open("/", O_RDONLY | O_DIRECTORY));
  for (int i = 0; i < 9; i++) before[i] = must(fcntl(fds[i], F_GETFL));
  ready();
  for (int i = 0; i < 9; i++) equal("flags", must(fcntl(fds[i], F_GETFL)), before[i]);
  refused(write(fds[0], "x", 1), EBADF);
  refused(read(fds[1], &byte, 1), EBADF);
  must(write(fds[2], "x", 1));
  equal("bytes read", read(fds[0], &byte, 1), 1);
  pass();
}
