/* what: data waiting in a pipe whose ends are both in the process */
/* spoil: read(ends[0], data, 1) */
#include "../feature.h"

int main(void) {
  int ends[2];
  char *data = malloc(20000);
  must(pipe(ends));
  fill(data, 20000, 50);
  equal("bytes written", write(ends[1], data, 20000), 20000);
  ready();
  memset(data, 0, 20000);
  equal("bytes read", read(ends[0], data, 20000), 20000);
  verify("data of the pipe", data, 20000, 50);
  must(write(ends[1], "more", 4));
  equal("bytes read later", read(ends[0], data, 100), 4);
  pass();
}
