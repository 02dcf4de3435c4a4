/* what: FD_CLOEXEC of each descriptor: exec after the move closes exactly those */
/* spoil: fcntl(closing, F_SETFD, 0) */
#include "../feature.h"

int main(int argc, char **argv) {
  if (argc == 3) {
    refused(fcntl(atoi(argv[1]), F_GETFD), EBADF);
    equal("flags of the kept descriptor", fcntl(atoi(argv[2]), F_GETFD), 0);
    pass();
  }
  char first[16], second[16];
  int closing = must(open("/dev/null", O_RDWR | O_CLOEXEC)), kept = must(dup(closing));
  ready();
  equal("FD_CLOEXEC", fcntl(closing, F_GETFD), FD_CLOEXEC);
  equal("FD_CLOEXEC of the duplicate", fcntl(kept, F_GETFD), 0);
  snprintf(first, sizeof first, "%d", closing);
  snprintf(second, sizeof second, "%d", kept);
  must(execl("/proc/self/exe", "feature", first, second, NULL));
}
