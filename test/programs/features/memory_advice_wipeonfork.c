/* what: MADV_WIPEONFORK: the range is zero in a child forked later */
/* spoil: madvise(memory, 4 * PAGE, MADV_KEEPONFORK) */
#include "../feature.h"

static char *memory;

static void look(void *unused) {
  (void)unused;
  settled();
  for (size_t i = 0; i < 4 * PAGE; i++) equal("byte in the child", memory[i], 0);
}

int main(void) {
  memory = map_anonymous(4 * PAGE, PROT_READ | PROT_WRITE);
  fill(memory, 4 * PAGE, 28);
  must(madvise(memory, 4 * PAGE, MADV_WIPEONFORK));
  ready();
  verify("memory wiped for children", memory, 4 * PAGE, 28);
  join(spawn(look, NULL));
  pass();
}
