/* what: the 128 bytes below the stack pointer, of a thread that computes and of one inside a system call */
/* needs: busy */
/* spoil: expected[1]++ */
#include "../processor.h"

static uint64_t values[16], expected[16], seen[2][16];

static void *compute(void *unused) {
  (void)unused;
  __asm__ volatile(
      "mov $-128, %%rcx\n mov %[from], %%rsi\n"
      "1: mov (%%rsi), %%rax\n mov %%rax, (%%rsp, %%rcx)\n add $8, %%rsi\n add $8, %%rcx\n jnz 1b\n"
      "2: pause\n cmpq $0, %[released]\n je 2b\n"
      "mov $-128, %%rcx\n mov %[to], %%rsi\n"
      "3: mov (%%rsp, %%rcx), %%rax\n mov %%rax, (%%rsi)\n add $8, %%rsi\n add $8, %%rcx\n jnz 3b\n"
      :
      : [from] "r"(values), [to] "r"(seen[0]), [released] "m"(released)
      : "rax", "rcx", "rsi", "memory", "cc");
  return NULL;
}

static void *call(void *unused) {
  (void)unused;
  register uint64_t *from __asm__("r12") = values, *to __asm__("r13") = seen[1];
  register const struct timespec *nap __asm__("r14") = &register_nap;
  __asm__ volatile(
      "mov $-128, %%rcx\n mov %[from], %%rsi\n"
      "1: mov (%%rsi), %%rax\n mov %%rax, (%%rsp, %%rcx)\n add $8, %%rsi\n add $8, %%rcx\n jnz 1b\n"
      "2: mov $35, %%eax\n mov %[nap], %%rdi\n xor %%esi, %%esi\n syscall\n lea %[released], %%rdi\n cmpq $0, (%%rdi)\n je 2b\n"
      "mov $-128, %%rcx\n mov %[to], %%rsi\n"
      "3: mov (%%rsp, %%rcx), %%rax\n mov %%rax, (%%rsi)\n add $8, %%rsi\n add $8, %%rcx\n jnz 3b\n"
      :
      : [from] "r"(from), [to] "r"(to), [nap] "r"(nap), [released] "m"(released)
      : "rax", "rcx", "rsi", "rdi", "r11", "memory", "cc");
  return NULL;
}

int main(void) {
  fill(values, sizeof values, 70);
  fill(expected, sizeof expected, 70);
  struct worker *first = start(compute, NULL), *second = start(call, NULL);
  ready();
  released = 1;
  finish(first);
  finish(second);
  for (int which = 0; which < 2; which++)
    for (int i = 0; i < 16; i++) check(seen[which][i] == expected[i], "word %d of red zone %d = %016lx, seen %016lx", i, which, expected[i], seen[which][i]);
  pass();
}
