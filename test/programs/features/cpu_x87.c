/* what: x87: the eight registers of the stack, control word and status word */
/* spoil: expected[3] = 1.5L */
#include "../processor.h"

static long double expected[8], seen[8];

int main(void) {
  for (int i = 0; i < 8; i++) expected[i] = 1.0L / (3 + i) + i;
  unsigned short control = 0x0c7f, control_seen = 0, status_seen = 0;
  announce();
  long double values[8];
  for (int i = 0; i < 8; i++) values[i] = 1.0L / (3 + i) + i;
  __asm__ volatile(
      "fninit\n fldt (%[from])\n fldt 16(%[from])\n fldt 32(%[from])\n fldt 48(%[from])\n"
      "fldt 64(%[from])\n fldt 80(%[from])\n fldt 96(%[from])\n fldt 112(%[from])\n fldcw %[control]\n" HOLD_UNTIL_GO
      "fnstcw %[control_seen]\n fnstsw %[status_seen]\n"
      "fstpt 112(%[to])\n fstpt 96(%[to])\n fstpt 80(%[to])\n fstpt 64(%[to])\n"
      "fstpt 48(%[to])\n fstpt 32(%[to])\n fstpt 16(%[to])\n fstpt (%[to])\n fninit\n"
      : [control_seen] "=m"(control_seen), [status_seen] "=m"(status_seen)
      : [from] "r"(values), [to] "r"(seen), [control] "m"(control), HOLD_INPUTS
      : HOLD_CLOBBERS, "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
  equal("control word", control_seen, control);
  equal("top of stack in the status word", status_seen >> 11 & 7, 0);
  for (int i = 0; i < 8; i++) check(memcmp(&seen[i], &expected[i], 10) == 0, "x87 register %d = %.20Lg, seen %.20Lg", i, expected[i], seen[i]);
  pass();
}
