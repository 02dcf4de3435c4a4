/* what: MAP_SHARED anonymous memory that parent and child both use */
/* needs: tree */
/* spoil: mmap((void *)memory, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) */
#include "../feature.h"

static _Atomic unsigned *memory;
static size_t size = 64 * KIB;

static void answer(void *unused) {
  (void)unused;
  memory[0] = 17;
  settled();
  for (int nap = 0; nap < 70000 && memory[1] == 0; nap++) usleep(1000);
  memory[size / 4 - 1] = memory[1] + 1;
}

int main(void) {
  memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pid_t child = spawn(answer, NULL);
  ready();
  equal("first word", memory[0], 17);
  memory[1] = 1000;
  join(child);
  equal("the child's answer", memory[size / 4 - 1], 1001);
  pass();
}
