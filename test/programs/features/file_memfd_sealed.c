/* what: the seals of a memfd */
/* spoil: fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) */
#include "../feature.h"

int main(void) {
  int fd = must(memfd_create("sealed", MFD_ALLOW_SEALING)), frozen = must(memfd_create("frozen", MFD_ALLOW_SEALING));
  char text[8] = {0};
  must(write(fd, "sealed", 6));
  must(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
  must(write(frozen, "frozen", 6));
  must(fcntl(frozen, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL));
  ready();
  equal("seals", fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
  equal("seals of the frozen one", fcntl(frozen, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  refused(ftruncate(fd, 1), EPERM);
  equal("bytes overwritten", pwrite(fd, "SEALED", 6, 0), 6);
  refused(pwrite(frozen, "x", 1, 0), EPERM);
  equal("bytes read", pread(frozen, text, 6, 0), 6);
  check(strcmp(text, "frozen") == 0, "frozen, seen %s", text);
  pass();
}
