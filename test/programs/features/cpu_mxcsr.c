/* what: MXCSR and the rounding of the x87 unit, different in each thread */
/* spoil: __builtin_ia32_ldmxcsr(0x1f80) */
#include "../feature.h"
#include <fenv.h>

static _Atomic int prepared, go;
static const int roundings[] = {FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};

static void *round_so(void *argument) {
  int rounding = *(const int *)argument;
  fesetround(rounding);
  feraiseexcept(FE_INEXACT | FE_DIVBYZERO);
  prepared++;
  while (!go) usleep(1000);
  equal("rounding of the thread", fegetround(), rounding);
  equal("exceptions raised", fetestexcept(FE_ALL_EXCEPT), FE_INEXACT | FE_DIVBYZERO);
  return NULL;
}

int main(void) {
  struct worker *workers[3];
  for (int i = 0; i < 3; i++) workers[i] = start(round_so, (void *)&roundings[i]);
  while (prepared < 3) usleep(1000);
  /* Flush to zero, denormals are zero, round up, all exceptions masked, underflow raised. */
  __builtin_ia32_ldmxcsr(0xdfd0);
  ready();
  equal("MXCSR", __builtin_ia32_stmxcsr(), 0xdfd0);
  go = 1;
  for (int i = 0; i < 3; i++) finish(workers[i]);
  pass();
}
