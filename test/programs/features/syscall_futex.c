/* what: blocked in futex without a timeout, and woken after the move; the same with a bit set */
/* spoil: interrupt(workers[1]->tid) */
#include "../feature.h"
#include <linux/futex.h>

static _Atomic uint32_t words[2];

static void *wait_word(void *argument) {
  long number = (long)argument;
  long result = number == 0 ? syscall(SYS_futex, &words[0], FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0)
                            : syscall(SYS_futex, &words[1], FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0x10);
  check(result == 0, "futex to return 0, seen %ld %s", result, strerror(errno));
  equal("the word", words[number], 1);
  return NULL;
}

int main(void) {
  struct worker *workers[2];
  for (long i = 0; i < 2; i++) workers[i] = start(wait_word, (void *)i);
  for (int i = 0; i < 2; i++) until_blocked(workers[i]->tid, SYS_futex);
  ready();
  for (int i = 0; i < 2; i++) until_blocked(workers[i]->tid, SYS_futex);
  words[0] = words[1] = 1;
  equal("woken by another bit", syscall(SYS_futex, &words[1], FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 0x20), 0);
  equal("woken by its bit", syscall(SYS_futex, &words[1], FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 0x30), 1);
  equal("woken", syscall(SYS_futex, &words[0], FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 1);
  for (int i = 0; i < 2; i++) finish(workers[i]);
  pass();
}
