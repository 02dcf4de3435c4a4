/* Counts up, a line each, from memory, stack and a register; O_APPEND output. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void) {
  long *heap = malloc(sizeof *heap);
  *heap = 0;
  for (volatile long n = 0;; n++) {
    if (*heap != n) printf("BAD heap %ld, stack %ld\n", *heap, n);
    printf("%ld\n", (*heap)++);
    fflush(stdout);
    usleep(5000);
  }
}
