/* what: the general registers of a thread that computes: rax, rbx, rdx, rsi, rdi, rbp, r8 to r15 */
/* needs: busy */
/* spoil: expected[5]++ */
#include "../processor.h"

static uint64_t expected[14];
uint64_t values[14], seen[14];

static void *hold(void *unused) {
  /* Waits with rcx alone, and without touching the flags. */
  __asm__ volatile(
      "push %%rbp\n push %%rbx\n"
      "mov values(%%rip), %%rax\n mov values+8(%%rip), %%rbx\n mov values+16(%%rip), %%rdx\n mov values+24(%%rip), %%rsi\n"
      "mov values+32(%%rip), %%rdi\n mov values+40(%%rip), %%rbp\n mov values+48(%%rip), %%r8\n mov values+56(%%rip), %%r9\n"
      "mov values+64(%%rip), %%r10\n mov values+72(%%rip), %%r11\n mov values+80(%%rip), %%r12\n mov values+88(%%rip), %%r13\n"
      "mov values+96(%%rip), %%r14\n mov values+104(%%rip), %%r15\n"
      "1: pause\n mov released(%%rip), %%rcx\n jrcxz 1b\n"
      "mov %%rax, seen(%%rip)\n mov %%rbx, seen+8(%%rip)\n mov %%rdx, seen+16(%%rip)\n mov %%rsi, seen+24(%%rip)\n"
      "mov %%rdi, seen+32(%%rip)\n mov %%rbp, seen+40(%%rip)\n mov %%r8, seen+48(%%rip)\n mov %%r9, seen+56(%%rip)\n"
      "mov %%r10, seen+64(%%rip)\n mov %%r11, seen+72(%%rip)\n mov %%r12, seen+80(%%rip)\n mov %%r13, seen+88(%%rip)\n"
      "mov %%r14, seen+96(%%rip)\n mov %%r15, seen+104(%%rip)\n"
      "pop %%rbx\n pop %%rbp\n" ::
          : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
  return unused;
}

int main(void) {
  fill(values, sizeof values, 14);
  fill(expected, sizeof expected, 14);
  struct worker *worker = start(hold, NULL);
  announce();
  release_spinning(NULL);
  finish(worker);
  for (int i = 0; i < 14; i++) check(seen[i] == expected[i], "register %d = %016lx, seen %016lx", i, expected[i], seen[i]);
  pass();
}
