/* what: AVX: all 256 bits of ymm0 to ymm15 */
/* spoil: expected[12][3]++ */
#include "../processor.h"

static uint64_t expected[16][4], values[16][4], seen[16][4];

#define EACH(do) do(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11) do(12) do(13) do(14) do(15)
#define LOAD(n) "vmovdqu 32*" #n "(%[from]), %%ymm" #n "\n"
#define STORE(n) "vmovdqu %%ymm" #n ", 32*" #n "(%[to])\n"

int main(void) {
  if (!__builtin_cpu_supports("avx")) skip("no AVX");
  fill(values, sizeof values, 12);
  fill(expected, sizeof expected, 12);
  announce();
  __asm__ volatile(EACH(LOAD) HOLD_UNTIL_GO EACH(STORE) "vzeroupper\n"
                   :
                   : [from] "r"(values), [to] "r"(seen), HOLD_INPUTS
                   : HOLD_CLOBBERS, "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                     "xmm13", "xmm14", "xmm15");
  for (int i = 0; i < 16; i++)
    for (int part = 0; part < 4; part++)
      check(seen[i][part] == expected[i][part], "part %d of ymm%d = %016lx, seen %016lx", part, i, expected[i][part], seen[i][part]);
  pass();
}
