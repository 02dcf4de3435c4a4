/* what: RLIMIT_STACK bounds the growth of the stack after the move */
/* spoil: setrlimit(RLIMIT_STACK, &(struct rlimit){8 * MIB, RLIM_INFINITY}) */
#include "../feature.h"

static int __attribute__((noinline)) descend(int depth) {
  volatile char frame[4000];
  frame[0] = depth;
  return depth > 0 ? descend(depth - 1) + frame[0] * 0 : 1;
}

static void go_deep(void *unused) {
  (void)unused;
  signal(SIGSEGV, SIG_DFL);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  settled();
  descend(500);
}

int main(void) {
  struct rlimit limit;
  must(setrlimit(RLIMIT_STACK, &(struct rlimit){MIB, RLIM_INFINITY}));
  ready();
  must(getrlimit(RLIMIT_STACK, &limit));
  equal("soft limit", limit.rlim_cur, MIB);
  equal("frames of 100 calls", descend(100), 1);
  equal("end of a child that goes 2 MiB deep", wait_status(spawn(go_deep, NULL)), SIGSEGV);
  pass();
}
