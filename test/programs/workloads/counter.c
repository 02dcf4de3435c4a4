/* counter [INTERVAL_MS=10] [FILE] [COUNT=0]: writes an increasing number per line to FILE (with O_APPEND) or to stdout, until COUNT lines
   or a stop. Before each line it checks its own state: the number in memory, on the stack and in a register, and the size of FILE. */
#include "../workload.h"

static volatile long in_memory;

int main(int argc, char **argv) {
  long interval = number_argument(argc, argv, 1, 10), count = number_argument(argc, argv, 3, 0);
  bool to_file = argc > 2 && strcmp(argv[2], "-") != 0;
  int fd = to_file ? must(open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666)) : 1;
  volatile long on_stack = 0;
  long written = 0, number = 0;
  prepare_stop();
  for (; !stopped() && (count == 0 || number < count); number++) {
    char line[32];
    if (in_memory != number || on_stack != number) fail("%ld in memory and on the stack, seen %ld and %ld", number, in_memory, on_stack);
    int length = snprintf(line, sizeof line, "%ld\n", number);
    ssize_t result = write(fd, line, length);
    if (result != length) fail("%d bytes written, seen %zd %s", length, result, result < 0 ? strerror(errno) : "");
    written += length;
    if (to_file) equal("size of the file", lseek(fd, 0, SEEK_CUR), written);
    in_memory++;
    on_stack++;
    if (interval > 0) nap_milliseconds(interval);
  }
  pass_with("%ld lines", number);
}
