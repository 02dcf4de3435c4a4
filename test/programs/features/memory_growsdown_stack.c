/* what: the main stack grows by itself: deep recursion after the move */
/* spoil: setrlimit(RLIMIT_STACK, &(struct rlimit){256 * KIB, 256 * KIB}) */
#include "../feature.h"

static int __attribute__((noinline)) descend(int depth) {
  volatile char frame[4000];
  memset((void *)frame, depth & 0x7f, sizeof frame);
  int sum = depth > 0 ? descend(depth - 1) : 0;
  for (size_t i = 0; i < sizeof frame; i += 1000) sum += frame[i] != (depth & 0x7f);
  return sum;
}

int main(void) {
  struct rlimit limit;
  must(getrlimit(RLIMIT_STACK, &limit));
  if (limit.rlim_cur < 7 * MIB) skip("the stack limit is only %lu bytes", limit.rlim_cur);
  equal("damaged frames before the move", descend(20), 0);
  ready();
  equal("damaged frames", descend(1500), 0);
  pass();
}
