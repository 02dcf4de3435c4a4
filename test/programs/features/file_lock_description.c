/* what: open file description locks (F_OFD_SETLK) */
/* spoil: fcntl(fd, F_OFD_SETLK, &(struct flock){.l_type = F_UNLCK}) */
#include "../feature.h"

int main(void) {
  char *path = scratch("file");
  int fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600)), copy = must(dup(fd));
  must(fcntl(fd, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK, .l_start = 10, .l_len = 20}));
  ready();
  int other = must(open(path, O_RDWR));
  refused(fcntl(other, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK, .l_start = 29, .l_len = 1}), EAGAIN);
  must(fcntl(other, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK, .l_start = 30, .l_len = 1}));
  must(fcntl(copy, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK, .l_start = 15, .l_len = 1}));
  must(close(fd));
  refused(fcntl(other, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK, .l_start = 15, .l_len = 1}), EAGAIN);
  must(close(copy));
  must(fcntl(other, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK, .l_start = 15, .l_len = 1}));
  pass();
}
