/* what: O_NONBLOCK set on a description is seen through its duplicates, and nobody else's */
/* spoil: fcntl(ends[0], F_SETFL, 0) */
#include "../feature.h"

int main(void) {
  int ends[2], copy;
  char byte;
  must(pipe(ends));
  copy = must(dup(ends[0]));
  must(fcntl(copy, F_SETFL, O_NONBLOCK));
  ready();
  equal("O_NONBLOCK of the read end", must(fcntl(ends[0], F_GETFL)) & O_NONBLOCK, O_NONBLOCK);
  equal("O_NONBLOCK of the write end", must(fcntl(ends[1], F_GETFL)) & O_NONBLOCK, 0);
  refused(read(ends[0], &byte, 1), EAGAIN);
  refused(read(copy, &byte, 1), EAGAIN);
  pass();
}
