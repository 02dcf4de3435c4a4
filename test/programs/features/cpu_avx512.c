/* what: AVX-512: all 512 bits of zmm0 to zmm31 and the mask registers k1 to k7 */
/* spoil: expected[30][7]++ */
#include "../processor.h"

static uint64_t expected[32][8], values[32][8], seen[32][8], masks_seen[8];

#define LOW(do) do(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11) do(12) do(13) do(14) do(15)
#define HIGH(do) do(16) do(17) do(18) do(19) do(20) do(21) do(22) do(23) do(24) do(25) do(26) do(27) do(28) do(29) do(30) do(31)
#define MASKS(do) do(1) do(2) do(3) do(4) do(5) do(6) do(7)
#define LOAD(n) "vmovdqu64 64*" #n "(%[from]), %%zmm" #n "\n"
#define STORE(n) "vmovdqu64 %%zmm" #n ", 64*" #n "(%[to])\n"
#define LOAD_MASK(n) "kmovw 64*" #n "(%[from]), %%k" #n "\n"
#define STORE_MASK(n) "kmovw %%k" #n ", 8*" #n "(%[masks])\n"

int main(void) {
  if (!__builtin_cpu_supports("avx512f")) skip("no AVX-512");
  fill(values, sizeof values, 13);
  fill(expected, sizeof expected, 13);
  announce();
  __asm__ volatile(LOW(LOAD) HIGH(LOAD) MASKS(LOAD_MASK) HOLD_UNTIL_GO LOW(STORE) HIGH(STORE) MASKS(STORE_MASK) "vzeroupper\n"
                   :
                   : [from] "r"(values), [to] "r"(seen), [masks] "r"(masks_seen), HOLD_INPUTS
                   : HOLD_CLOBBERS, "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                     "xmm13", "xmm14", "xmm15");
  for (int i = 0; i < 32; i++)
    for (int part = 0; part < 8; part++)
      check(seen[i][part] == expected[i][part], "part %d of zmm%d = %016lx, seen %016lx", part, i, expected[i][part], seen[i][part]);
  for (int i = 1; i < 8; i++) equal("mask register", masks_seen[i] & 0xffff, expected[i][0] & 0xffff);
  pass();
}
