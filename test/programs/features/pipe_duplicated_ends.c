/* what: several descriptors of one end: end of file only when the last is closed */
/* spoil: close(third) */
#include "../feature.h"

int main(void) {
  int ends[2];
  char byte;
  must(pipe(ends));
  int second = must(dup(ends[1])), third = must(dup2(ends[1], 90));
  must(fcntl(ends[0], F_SETFL, O_NONBLOCK));
  ready();
  must(close(ends[1]));
  must(close(second));
  refused(read(ends[0], &byte, 1), EAGAIN);
  must(write(third, "z", 1));
  equal("bytes read", read(ends[0], &byte, 1), 1);
  must(close(third));
  equal("end of file", read(ends[0], &byte, 1), 0);
  pass();
}
