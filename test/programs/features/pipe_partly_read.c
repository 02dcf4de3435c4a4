/* what: a pipe whose first buffers were read in part */
/* spoil: read(ends[0], data, 1) */
#include "../feature.h"

int main(void) {
  int ends[2];
  char data[12000], all[12000];
  must(pipe(ends));
  fill(all, sizeof all, 54);
  for (int i = 0; i < 12; i++) must(write(ends[1], all + 1000 * i, 1000));
  equal("bytes read before", read(ends[0], data, 2345), 2345);
  ready();
  equal("bytes read", read(ends[0], data, sizeof data), 12000 - 2345);
  check(memcmp(data, all + 2345, 12000 - 2345) == 0, "the rest of the data, seen other bytes");
  pass();
}
