/* what: the base of gs, another in each thread, beside fs with the thread-local data */
/* spoil: syscall(SYS_arch_prctl, ARCH_SET_GS, blocks[1]) */
#include "../feature.h"
#include <asm/prctl.h>

static long blocks[4][8];
static _Atomic int prepared, go;

static long through_gs(void) {
  long value;
  __asm__ volatile("mov %%gs:8, %0" : "=r"(value));
  return value;
}

static void *use_gs(void *argument) {
  long number = (long)argument;
  blocks[number][1] = 9000 + number;
  must(syscall(SYS_arch_prctl, ARCH_SET_GS, blocks[number]));
  prepared++;
  while (!go) usleep(1000);
  equal("value through gs in the thread", through_gs(), 9000 + number);
  return NULL;
}

int main(void) {
  struct worker *workers[4];
  for (long i = 1; i < 4; i++) workers[i] = start(use_gs, (void *)i);
  while (prepared < 3) usleep(1000);
  blocks[0][1] = 9000;
  must(syscall(SYS_arch_prctl, ARCH_SET_GS, blocks[0]));
  unsigned long fs_before, fs_after, gs;
  must(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_before));
  ready();
  equal("value through gs", through_gs(), 9000);
  must(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
  equal("base of gs", gs, (long)blocks[0]);
  must(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_after));
  equal("base of fs", fs_after, fs_before);
  go = 1;
  for (int i = 1; i < 4; i++) finish(workers[i]);
  pass();
}
