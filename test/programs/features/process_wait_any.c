/* what: children that end after the move in an order of their own, waited for with -1 */
/* needs: family */
/* spoil: kill(children[2], SIGKILL), usleep(20000) */
#include "../feature.h"

static void end_in_turn(void *pointer) {
  long index = (long)pointer;
  settled();
  wait_go();
  usleep(40000 * (5 - index));
  _exit(10 + index);
}

int main(void) {
  pid_t children[5];
  bool seen[5] = {0};
  for (long i = 0; i < 5; i++) children[i] = spawn(end_in_turn, (void *)i);
  ready();
  for (int turn = 0; turn < 5; turn++) {
    int status, index = -1;
    pid_t child = must(waitpid(-1, &status, 0));
    for (int i = 0; i < 5; i++)
      if (children[i] == child) index = i;
    check(index >= 0 && !seen[index], "a child not waited for yet, seen %d", child);
    seen[index] = true;
    equal("wait status", status, (10 + index) << 8);
  }
  refused(waitpid(-1, NULL, 0), ECHILD);
  pass();
}
