/* what: MMX registers */
/* spoil: expected[5]++ */
#include "../processor.h"

static uint64_t values[8], expected[8], seen[8];

int main(void) {
  fill(values, sizeof values, 71);
  fill(expected, sizeof expected, 71);
  announce();
  __asm__ volatile(
      "movq (%[from]), %%mm0\n movq 8(%[from]), %%mm1\n movq 16(%[from]), %%mm2\n movq 24(%[from]), %%mm3\n"
      "movq 32(%[from]), %%mm4\n movq 40(%[from]), %%mm5\n movq 48(%[from]), %%mm6\n movq 56(%[from]), %%mm7\n" HOLD_UNTIL_GO
      "movq %%mm0, (%[to])\n movq %%mm1, 8(%[to])\n movq %%mm2, 16(%[to])\n movq %%mm3, 24(%[to])\n"
      "movq %%mm4, 32(%[to])\n movq %%mm5, 40(%[to])\n movq %%mm6, 48(%[to])\n movq %%mm7, 56(%[to])\n emms\n"
      :
      : [from] "r"(values), [to] "r"(seen), HOLD_INPUTS
      : HOLD_CLOBBERS, "mm0", "mm1", "mm2", "mm3", "mm4", "mm5", "mm6", "mm7");
  for (int i = 0; i < 8; i++) check(seen[i] == expected[i], "mm%d = %016lx, seen %016lx", i, expected[i], seen[i]);
  pass();
}
