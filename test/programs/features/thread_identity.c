/* what: thread ids, pthread ids and the list of threads */
/* spoil: tids[3]++ */
#include "../feature.h"
#include <dirent.h>

static pid_t tids[8];
static _Atomic int waiting, go;

static void *hold(void *index) {
  pthread_t self = pthread_self();
  tids[(long)index] = gettid();
  waiting++;
  while (!go) usleep(1000);
  equal("gettid()", gettid(), tids[(long)index]);
  check(pthread_equal(self, pthread_self()), "the same pthread_self(), seen another");
  return NULL;
}

int main(void) {
  struct worker *workers[8];
  pid_t process = getpid();
  for (long i = 0; i < 8; i++) workers[i] = start(hold, (void *)i);
  while (waiting < 8) usleep(1000);
  ready();
  equal("getpid()", getpid(), process);
  equal("gettid() of the main thread", gettid(), process);
  int entries = 0;
  DIR *tasks = opendir("/proc/self/task");
  for (struct dirent *entry; (entry = readdir(tasks));) entries += entry->d_name[0] != '.';
  closedir(tasks);
  equal("threads in /proc/self/task", entries, 9);
  for (int i = 0; i < 8; i++) equal("tgkill with signal 0", syscall(SYS_tgkill, process, tids[i], 0), 0);
  go = 1;
  for (int i = 0; i < 8; i++) finish(workers[i]);
  pass();
}
