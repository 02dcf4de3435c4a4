/* Waits in vfork(2) for its child for a while, out of reach of every signal but SIGKILL; then prints lines for ever. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("vfork");
  if (vfork() == 0) {
    struct timespec time = {.tv_nsec = 500000000};
    nanosleep(&time, NULL);
    _exit(0);
  }
  for (long n = 0;; n++) {
    printf("%ld\n", n);
    usleep(1000);
  }
}
