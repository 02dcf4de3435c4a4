/* what: a System V shared memory segment */
/* needs: refusable */
/* spoil: memory[9] ^= 1 */
#include "../feature.h"
#include <sys/shm.h>

int main(void) {
  int segment = must(shmget(IPC_PRIVATE, 16 * PAGE, IPC_CREAT | 0600));
  char *memory = must(shmat(segment, NULL, 0));
  struct shmid_ds status;
  must(shmctl(segment, IPC_RMID, NULL)); /* gone with its last user */
  fill(memory, 16 * PAGE, 73);
  ready();
  verify("segment", memory, 16 * PAGE, 73);
  must(shmctl(segment, IPC_STAT, &status));
  equal("attached processes", status.shm_nattch, 1);
  pass();
}
