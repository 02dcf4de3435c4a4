/* what: code that the program wrote itself still runs, and a page made executable keeps its contents */
/* spoil: memset(code, 0xcc, 16) */
#include "../feature.h"

int main(void) {
  /* lea eax, [rdi + rsi]; ret */
  static const unsigned char add[] = {0x8d, 0x04, 0x37, 0xc3};
  unsigned char *code = map_anonymous(2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
  memcpy(code, add, sizeof add);
  memcpy(code + PAGE, add, sizeof add);
  must(mprotect(code + PAGE, PAGE, PROT_READ | PROT_EXEC));
  int (*writable)(int, int) = (int (*)(int, int))code, (*fixed)(int, int) = (int (*)(int, int))(code + PAGE);
  ready();
  equal("sum by the writable code", writable(40, 2), 42);
  equal("sum by the fixed code", fixed(1000, 1), 1001);
  code[1] = 0x44, code[2] = 0x37, code[3] = 5, code[4] = 0xc3; /* lea eax, [rdi + rsi + 5]; ret */
  equal("sum by rewritten code", writable(40, 2), 47);
  pass();
}
