/* what: a thread's stack overflow is still caught by its guard, on an alternate stack */
/* spoil: sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL) */
#include "../feature.h"
#include <setjmp.h>

static sigjmp_buf back;
static char alternate[64 * 1024];
static volatile int bottom = -1;

static void on_fault(int number) {
  (void)number;
  siglongjmp(back, 1);
}

static int __attribute__((noinline)) endless(int depth) {
  volatile char frame[2000];
  frame[0] = depth;
  return depth == bottom ? 0 : endless(depth + 1) + frame[0];
}

static void *overflow(void *unused) {
  (void)unused;
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  must(sigaltstack(&stack, NULL));
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
  must(sigaction(SIGSEGV, &action, NULL));
  ready();
  if (sigsetjmp(back, 1) == 0) return (void *)(long)endless(0);
  return (void *)7L;
}

int main(void) {
  equal("overflow caught", (long)finish(start(overflow, NULL)), 7);
  pass();
}
