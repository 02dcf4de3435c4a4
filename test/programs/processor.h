/* For programs that hold state in registers which compiled code does not keep over a call: waiting in assembly. */
#pragma once
#include "feature.h"

/* A file that exists as soon as the program may go on. */
static inline const char *go_file(void) {
  const char *go = getenv("KRG_GO");
  return go ? go : "/";
}

static const struct timespec register_nap = {.tv_nsec = 1000000};

/*
 * Naps (35: nanosleep) until the go file is there (21: access), without touching other registers than rax, rcx, rdi, rsi, r11.
 * Operands: HOLD_INPUTS; clobbers: HOLD_CLOBBERS.
 */
#define HOLD_UNTIL_GO                                                                                     \
  "77: mov $35, %%eax\n mov %[nap], %%rdi\n xor %%esi, %%esi\n syscall\n"                                 \
  "mov $21, %%eax\n mov %[go], %%rdi\n xor %%esi, %%esi\n syscall\n test %%eax, %%eax\n jnz 77b\n"
#define HOLD_INPUTS [nap] "r"(&register_nap), [go] "r"(go_file())
#define HOLD_CLOBBERS "rax", "rcx", "rdi", "rsi", "r11", "memory", "cc"

/* Set by release_spinning() once the go file is there; code in assembly spins until then. */
static volatile uint64_t released;

static inline void *release_spinning(void *unused) {
  (void)unused;
  wait_go();
  released = 1;
  return NULL;
}
