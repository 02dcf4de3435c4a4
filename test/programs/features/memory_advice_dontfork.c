/* what: MADV_DONTFORK: the range is missing in a child forked later */
/* spoil: madvise(memory, 4 * PAGE, MADV_DOFORK) */
#include "../feature.h"

static char *memory;

static void look(void *unused) {
  (void)unused;
  unsigned char resident;
  settled();
  refused(mincore(memory, PAGE, &resident), ENOMEM);
}

int main(void) {
  memory = map_anonymous(4 * PAGE, PROT_READ | PROT_WRITE);
  fill(memory, 4 * PAGE, 27);
  must(madvise(memory, 4 * PAGE, MADV_DONTFORK));
  ready();
  verify("memory not for children", memory, 4 * PAGE, 27);
  join(spawn(look, NULL));
  pass();
}
