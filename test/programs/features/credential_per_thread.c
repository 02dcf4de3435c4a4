/* what: threads of one process with different credentials, as raw system calls set them */
/* needs: root */
/* spoil: setresuid(0, 0, 0) */
#include "../feature.h"

static _Atomic int prepared, go;

static void *be_user(void *argument) {
  uid_t uid = (uid_t)(long)argument;
  must(syscall(SYS_setresgid, uid + 1, uid + 1, uid + 1));
  must(syscall(SYS_setresuid, uid, uid, uid));
  prepared++;
  while (!go) usleep(1000);
  equal("user id of the thread", syscall(SYS_geteuid), uid);
  equal("group id of the thread", syscall(SYS_getegid), uid + 1);
  return NULL;
}

int main(void) {
  struct worker *workers[3];
  if (geteuid() != 0) skip("only root may set user ids");
  for (long i = 0; i < 3; i++) workers[i] = start(be_user, (void *)(5000 + 10 * i));
  while (prepared < 3) usleep(1000);
  ready();
  equal("user id of the first thread", syscall(SYS_geteuid), 0);
  go = 1;
  for (int i = 0; i < 3; i++) finish(workers[i]);
  pass();
}
