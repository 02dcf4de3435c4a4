/* what: open files with names full of spaces, newlines, backslashes and bytes that are no text */
/* spoil: lseek(fds[3], 0, SEEK_SET) */
#include "../feature.h"

int main(void) {
  static const char *const names[] = {"with space", "with\nnewline", "with\\backslash\\040", "\xff\xfe\x80", " (deleted)", "//deleted"};
  int fds[6];
  char text[32] = {0};
  for (int i = 0; i < 6; i++) {
    fds[i] = open(scratch(names[i]), O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (i == 5) check(fds[i] < 0, "no such directory, seen it"); else check(fds[i] >= 0, "the file to open, seen %s", strerror(errno));
    if (fds[i] >= 0) must(write(fds[i], names[i], strlen(names[i])));
  }
  ready();
  for (int i = 0; i < 5; i++) {
    equal("offset", lseek(fds[i], 0, SEEK_CUR), strlen(names[i]));
    equal("bytes read", pread(fds[i], text, sizeof text, 0), strlen(names[i]));
    check(memcmp(text, names[i], strlen(names[i])) == 0, "the name of file %d as its contents, seen %s", i, text);
  }
  pass();
}
