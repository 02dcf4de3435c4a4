/* what: an adjustment of a System V semaphore that is undone at the end of the process (SEM_UNDO) */
/* needs: refusable */
/* spoil: semctl(set, 0, SETVAL, 0) */
#include "../feature.h"
#include <sys/ipc.h>
#include <sys/sem.h>

static int set;

static void adjust(void *unused) {
  (void)unused;
  must(semop(set, &(struct sembuf){0, 1, SEM_UNDO}, 1));
}

int main(void) {
  set = semget(IPC_PRIVATE, 1, 0600);
  if (set < 0) skip("no System V semaphores: %s", strerror(errno));
  adjust(NULL);
  say_ready();
  wait_go();
  SPOIL;
  equal("semaphore", semctl(set, 0, GETVAL), 1);
  pid_t child = must(fork());
  if (child == 0) {
    adjust(NULL);
    _exit(semctl(set, 0, GETVAL));
  }
  int status;
  must(waitpid(child, &status, 0));
  equal("semaphore, seen by the child", status, 2 << 8);
  equal("semaphore after the child's end", semctl(set, 0, GETVAL), 1);
  must(semctl(set, 0, IPC_RMID));
  pass();
}
