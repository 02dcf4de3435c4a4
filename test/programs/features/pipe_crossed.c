/* what: a parent and two children passing a number around in a ring of pipes */
/* needs: tree */
/* spoil: write(pipes[0][1], &value, sizeof value) */
#include "../feature.h"

static int pipes[3][2];

static void pass_on(void *pointer) {
  long index = (long)pointer;
  int value;
  for (int i = 0; i < 3; i++) {
    if (i != index) close(pipes[i][0]);
    if (i != index + 1) close(pipes[i][1]);
  }
  settled();
  while (read(pipes[index][0], &value, sizeof value) == sizeof value) {
    value++;
    must(write(pipes[index + 1][1], &value, sizeof value));
  }
}

int main(void) {
  int value = 0, rounds = 0;
  for (int i = 0; i < 3; i++) must(pipe(pipes[i]));
  pid_t first = spawn(pass_on, (void *)0L), second = spawn(pass_on, (void *)1L);
  close(pipes[0][0]);
  close(pipes[1][0]);
  close(pipes[1][1]);
  close(pipes[2][1]);
  announce();
  for (bool last = false; !last; rounds++) {
    last = gone();
    int sent = value;
    must(write(pipes[0][1], &value, sizeof value));
    equal("bytes that came round", read(pipes[2][0], &value, sizeof value), sizeof value);
    equal("value that came round", value, sent + 2);
    usleep(500);
  }
  close(pipes[0][1]);
  join(first);
  join(second);
  equal("value after all rounds", value, 2 * rounds);
  pass();
}
