/* what: the heap (brk): contents, its end, growing and shrinking after the move */
/* spoil: sbrk(PAGE) */
#include "../feature.h"

int main(void) {
  char *start = must(sbrk(0));
  must(sbrk(32 * PAGE));
  char *aligned = (char *)(((uintptr_t)start + 7) & ~7UL);
  fill(aligned, 31 * PAGE, 18);
  ready();
  equal("end of the heap", sbrk(0), start + 32 * PAGE);
  verify("heap", aligned, 31 * PAGE, 18);
  equal("old end returned by sbrk", must(sbrk(64 * PAGE)), start + 32 * PAGE);
  memset(start + 32 * PAGE, 7, 64 * PAGE);
  verify("heap after growing", aligned, 31 * PAGE, 18);
  must(sbrk(-(intptr_t)(96 * PAGE)));
  equal("end of the heap after shrinking", sbrk(0), start);
  check(malloc(100000) != NULL, "malloc to work, seen NULL");
  pass();
}
