/* what: MAP_SHARED anonymous memory of one process: its contents, and that a child forked later shares it */
/* spoil: mmap(memory, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), fill(memory, size, 3) */
#include "../feature.h"

static char *memory;
static size_t size = 1 * MIB;

static void rewrite(void *unused) {
  (void)unused;
  verify("memory seen by the child", memory, size, 3);
  settled();
  fill(memory, size, 4);
}

int main(void) {
  memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  fill(memory, size, 3);
  ready();
  verify("shared memory", memory, size, 3);
  join(spawn(rewrite, NULL));
  verify("what the child wrote", memory, size, 4);
  pass();
}
