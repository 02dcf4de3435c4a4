/*
 * A parent of many: `many-children COUNT MILLISECONDS`. Each child ends by itself at some time within that, with a status of its own; the parent tells of each birth
 * ("born PID STATUS") and of each child that it collects ("collected PID WAITSTATUS"), and at the end that there is none left.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words) {
  if (count < 3) return 2;
  int children = atoi(words[1]), milliseconds = atoi(words[2]);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int n = 0; n < children; n++) {
    int status = n % 100 + 1;
    pid_t child = fork();
    if (child < 0) return 3;
    if (child == 0) {
      srand((unsigned)getpid());
      /* Not all at once at the end, and none before all are born. */
      long wait = milliseconds / 4 + rand() % (milliseconds * 3 / 4);
      for (long waited = 0; waited < wait; waited += 10) usleep(10000);
      _exit(status);
    }
    printf("born %d %d\n", child, status);
  }
  puts("all born");
  for (;;) {
    int status;
    pid_t child = waitpid(-1, &status, 0);
    if (child < 0 && errno == EINTR) continue;
    if (child < 0) break;
    printf("collected %d %d\n", child, status);
  }
  puts(errno == ECHILD ? "none left" : "failed");
  return 0;
}
