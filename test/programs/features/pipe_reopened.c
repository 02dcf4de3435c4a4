/* what: a second description of the same end, opened through /proc/self/fd, with flags of its own */
/* spoil: dup2(ends[0], again) */
#include "../feature.h"

int main(void) {
  int ends[2];
  char path[64], byte;
  must(pipe(ends));
  snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
  int again = must(open(path, O_RDONLY | O_NONBLOCK));
  must(write(ends[1], "ab", 2));
  ready();
  equal("flags of the first description", must(fcntl(ends[0], F_GETFL)) & O_NONBLOCK, 0);
  equal("flags of the second description", must(fcntl(again, F_GETFL)) & O_NONBLOCK, O_NONBLOCK);
  must(read(again, &byte, 1));
  equal("first byte", byte, 'a');
  must(read(ends[0], &byte, 1));
  equal("second byte", byte, 'b');
  refused(read(again, &byte, 1), EAGAIN);
  pass();
}
