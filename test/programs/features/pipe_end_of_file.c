/* what: a pipe whose writer is gone: the rest of the data, then end of file */
/* spoil: read(ends[0], text, 64) */
#include "../feature.h"

int main(void) {
  int ends[2], empty[2];
  char text[64];
  must(pipe(ends));
  must(pipe(empty));
  must(write(ends[1], "last words", 10));
  must(close(ends[1]));
  must(close(empty[1]));
  ready();
  equal("bytes read", read(ends[0], text, 64), 10);
  check(memcmp(text, "last words", 10) == 0, "last words, seen %.10s", text);
  equal("end of file", read(ends[0], text, 64), 0);
  equal("end of file of the empty one", read(empty[0], text, 64), 0);
  pass();
}
