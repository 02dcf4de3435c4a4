/* what: SSE: xmm0 to xmm15 */
/* spoil: expected[9][1]++ */
#include "../processor.h"

static uint64_t expected[16][2] __attribute__((aligned(16))), values[16][2] __attribute__((aligned(16))), seen[16][2] __attribute__((aligned(16)));

#define EACH(do) do(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11) do(12) do(13) do(14) do(15)
#define LOAD(n) "movdqa 16*" #n "(%[from]), %%xmm" #n "\n"
#define STORE(n) "movdqa %%xmm" #n ", 16*" #n "(%[to])\n"

int main(void) {
  fill(values, sizeof values, 11);
  fill(expected, sizeof expected, 11);
  announce();
  __asm__ volatile(EACH(LOAD) HOLD_UNTIL_GO EACH(STORE)
                   :
                   : [from] "r"(values), [to] "r"(seen), HOLD_INPUTS
                   : HOLD_CLOBBERS, "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                     "xmm13", "xmm14", "xmm15");
  for (int i = 0; i < 16; i++)
    for (int half = 0; half < 2; half++)
      check(seen[i][half] == expected[i][half], "half %d of xmm%d = %016lx, seen %016lx", half, i, expected[i][half], seen[i][half]);
  pass();
}
