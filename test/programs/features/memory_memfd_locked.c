/* what: a record lock (fcntl) on a memfd that is mapped */
/* spoil: close(dup(fd)) */
#include "../feature.h"

int main(void) {
  int fd = must(memfd_create("locked", MFD_CLOEXEC));
  must(ftruncate(fd, PAGE));
  char *memory = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)), path[64];
  fill(memory, PAGE, 97);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 10};
  must(fcntl(fd, F_SETLK, &lock));
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  ready();
  verify("mapping", memory, PAGE, 97);
  char *text = read_text(path);
  check(strstr(text, "POSIX") && strstr(text, " 5 14\n"), "a record lock from 5 to 14, seen %s", text);
  pass();
}
