/* what: a pipe in packet mode (O_DIRECT): the bounds between its packets */
/* spoil: read(ends[0], text, 64) */
#include "../feature.h"

int main(void) {
  int ends[2];
  char text[64];
  must(pipe2(ends, O_DIRECT));
  must(write(ends[1], "first", 5));
  must(write(ends[1], "the second", 10));
  must(write(ends[1], "3", 1));
  ready();
  equal("first packet", read(ends[0], text, 64), 5);
  equal("part of the second packet", read(ends[0], text, 3), 3);
  equal("third packet", read(ends[0], text, 64), 1);
  equal("O_DIRECT", must(fcntl(ends[1], F_GETFL)) & O_DIRECT, O_DIRECT);
  must(write(ends[1], "ab", 2));
  must(write(ends[1], "cd", 2));
  equal("packet written after the move", read(ends[0], text, 64), 2);
  pass();
}
