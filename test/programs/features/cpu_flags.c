/* what: the flags of a thread that computes, direction and alignment check among them */
/* needs: busy */
/* spoil: expected ^= 0x400 */
#include "../processor.h"

/* Carry, parity, auxiliary carry, zero, sign, direction, overflow and alignment check. */
#define ALL_FLAGS 0x040cd5UL

static uint64_t expected = ALL_FLAGS;
uint64_t seen;

static void *hold(void *unused) {
  __asm__ volatile(
      "sub $128, %%rsp\n pushq %[flags]\n popfq\n"
      "1: mov released(%%rip), %%rcx\n jrcxz 1b\n"
      "pushfq\n popq %%rdx\n pushq $2\n popfq\n mov %%rdx, seen(%%rip)\n add $128, %%rsp\n" ::[flags] "i"(ALL_FLAGS)
      : "rcx", "rdx", "memory", "cc");
  return unused;
}

int main(void) {
  struct worker *worker = start(hold, NULL);
  announce();
  release_spinning(NULL);
  finish(worker);
  equal("flags", seen & ALL_FLAGS, expected);
  pass();
}
