/* what: parent and child share the offset of an inherited file */
/* needs: tree */
/* spoil: dup2(open(path, O_RDWR | O_APPEND), fd) */
#include "../feature.h"

static int fd;

static void read_three(void *unused) {
  (void)unused;
  char text[4] = {0};
  settled();
  wait_go();
  while (lseek(fd, 0, SEEK_CUR) != 4) usleep(1000);
  must(read(fd, text, 3));
  check(strcmp(text, "456") == 0, "456 in the child, seen %s", text);
}

int main(void) {
  char *path = scratch("file"), text[3] = {0};
  fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  must(write(fd, "0123456789", 10));
  must(lseek(fd, 2, SEEK_SET));
  pid_t child = spawn(read_three, NULL);
  ready();
  must(read(fd, text, 2));
  check(strcmp(text, "23") == 0, "23 in the parent, seen %s", text);
  join(child);
  equal("offset after the child's read", lseek(fd, 0, SEEK_CUR), 7);
  pass();
}
