/* what: O_NONBLOCK on one end of a pipe only */
/* spoil: fcntl(ends[0], F_SETFL, 0), fcntl(ends[1], F_SETFL, O_NONBLOCK) */
#include "../feature.h"

int main(void) {
  int ends[2];
  char byte;
  must(pipe(ends));
  must(fcntl(ends[0], F_SETFL, O_NONBLOCK));
  ready();
  equal("flags of the read end", must(fcntl(ends[0], F_GETFL)), O_NONBLOCK | O_RDONLY);
  equal("flags of the write end", must(fcntl(ends[1], F_GETFL)), O_WRONLY);
  refused(read(ends[0], &byte, 1), EAGAIN);
  pass();
}
