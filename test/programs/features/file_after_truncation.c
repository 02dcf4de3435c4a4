/* what: ftruncate, fchmod, fchown and futimens after the move act on the file */
/* spoil: dup2(open("/dev/null", O_RDWR), fd) */
#include "../feature.h"

int main(void) {
  char *path = scratch("file");
  struct stat status;
  int fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  must(write(fd, "0123456789", 10));
  ready();
  must(ftruncate(fd, 4));
  must(fchmod(fd, 0640));
  must(fchown(fd, getuid(), getgid()));
  must(futimens(fd, (struct timespec[2]){{1000000000, 5}, {1100000000, 7}}));
  must(stat(path, &status));
  equal("size", status.st_size, 4);
  equal("mode", status.st_mode & 07777, 0640);
  equal("time of access", status.st_atim.tv_sec, 1000000000);
  equal("time of modification", status.st_mtim.tv_sec, 1100000000);
  check(strcmp(read_text(path), "0123") == 0, "0123, seen %s", read_text(path));
  pass();
}
