/* what: pages that parent and child once had in common: each keeps its own */
/* needs: tree */
/* spoil: fill(memory, PAGE, 24) */
#include "../feature.h"

static char *memory;

static void change_half(void *unused) {
  (void)unused;
  fill(memory, 32 * PAGE, 24);
  settled();
  wait_go();
  verify("half changed by the child", memory, 32 * PAGE, 24);
  verify("half left by the child", memory + 32 * PAGE, 32 * PAGE, 25);
  fill(memory + 32 * PAGE, 32 * PAGE, 26);
}

int main(void) {
  memory = map_anonymous(64 * PAGE, PROT_READ | PROT_WRITE);
  fill(memory, 32 * PAGE, 23);
  fill(memory + 32 * PAGE, 32 * PAGE, 25);
  pid_t child = spawn(change_half, NULL);
  ready();
  join(child);
  verify("first half in the parent", memory, 32 * PAGE, 23);
  verify("second half in the parent", memory + 32 * PAGE, 32 * PAGE, 25);
  pass();
}
