/* what: an open directory for openat, and one opened with O_PATH */
/* spoil: dup2(open("/", O_PATH), path_fd) */
#include "../feature.h"

int main(void) {
  char *directory = scratch("directory");
  must(mkdir(directory, 0700));
  int fd = must(open(directory, O_RDONLY | O_DIRECTORY)), path_fd = must(open(directory, O_PATH));
  close(must(openat(fd, "inside", O_WRONLY | O_CREAT, 0600)));
  ready();
  must(faccessat(fd, "inside", F_OK, 0));
  must(faccessat(path_fd, "inside", F_OK, 0));
  equal("flags of the O_PATH descriptor", must(fcntl(path_fd, F_GETFL)) & O_PATH, O_PATH);
  refused(fsync(path_fd), EBADF);
  must(unlinkat(path_fd, "inside", 0));
  refused(faccessat(fd, "inside", F_OK, 0), ENOENT);
  pass();
}
