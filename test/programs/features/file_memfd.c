/* what: a memfd: contents, size, offset, name */
/* spoil: lseek(fd, 0, SEEK_SET) */
#include "../feature.h"

int main(void) {
  char *data = malloc(100 * KIB), link[64], target[128] = {0};
  int fd = must(memfd_create("a name of its own", MFD_CLOEXEC));
  fill(data, 100 * KIB, 41);
  equal("bytes written", write(fd, data, 100 * KIB), 100 * KIB);
  must(ftruncate(fd, 300 * KIB));
  must(lseek(fd, 1234, SEEK_SET));
  ready();
  struct stat status;
  must(fstat(fd, &status));
  equal("size", status.st_size, 300 * KIB);
  equal("offset", lseek(fd, 0, SEEK_CUR), 1234);
  equal("bytes read", pread(fd, data, 100 * KIB, 0), 100 * KIB);
  verify("memfd", data, 100 * KIB, 41);
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  must(readlink(link, target, sizeof target - 1));
  check(strcmp(target, "/memfd:a name of its own (deleted)") == 0, "/memfd:a name of its own (deleted), seen %s", target);
  equal("seals", fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
  pass();
}
