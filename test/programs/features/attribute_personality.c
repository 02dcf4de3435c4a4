/* what: personality: ADDR_NO_RANDOMIZE, and READ_IMPLIES_EXEC for mappings made after the move */
/* spoil: personality(0) */
#include "../feature.h"
#include <sys/personality.h>

int main(void) {
  must(personality(ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC));
  ready();
  equal("personality", personality(0xffffffff), ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC);
  unsigned char *code = map_anonymous(PAGE, PROT_READ | PROT_WRITE);
  code[0] = 0xc3; /* ret */
  ((void (*)(void))code)();
  pass();
}
