/* what: the name that /proc tells, with odd characters, and the path of the executable */
/* spoil: prctl(PR_SET_NAME, "other") */
#include "../feature.h"
#include <sys/prctl.h>

int main(void) {
  char name[17] = "", before[PATH_MAX] = "", after[PATH_MAX] = "";
  must(readlink("/proc/self/exe", before, sizeof before - 1));
  must(prctl(PR_SET_NAME, ") R 1 (\t'x\"", 0, 0, 0));
  ready();
  must(prctl(PR_GET_NAME, name, 0, 0, 0));
  check(strcmp(name, ") R 1 (\t'x\"") == 0, ") R 1 (\\t'x\", seen %s", name);
  must(readlink("/proc/self/exe", after, sizeof after - 1));
  check(strcmp(before, after) == 0, "%s, seen %s", before, after);
  pass();
}
