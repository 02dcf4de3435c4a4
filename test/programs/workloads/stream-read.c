/* stream-read [BYTES=0] [SEED=1] [CHUNK=65536]: reads the stream of stream-write from stdin to its end and checks every byte; BYTES, when given,
   is what the whole has to come to. Prints "read N" every 16 MiB, the verdict last. */
#include "../workload.h"

int main(int argc, char **argv) {
  uint64_t total = number_argument(argc, argv, 1, 0), state = number_argument(argc, argv, 2, 1) * 0x9e3779b97f4a7c15ULL + 1, seen = 0;
  size_t chunk = number_argument(argc, argv, 3, 64 * KIB);
  unsigned char *piece = malloc(chunk);
  for (;;) {
    ssize_t length = read(0, piece, chunk);
    check(length >= 0, "a read to work, seen %s after %lu bytes", strerror(errno), seen);
    if (length == 0) break;
    for (ssize_t i = 0; i < length; i++) {
      unsigned char expected = next_random(&state) >> 32;
      check(piece[i] == expected, "byte %lu = %02x, seen %02x", seen + i, expected, piece[i]);
    }
    if ((seen + length) >> 24 != seen >> 24) dprintf(1, "read %lu\n", seen + length);
    seen += length;
  }
  check(total == 0 || seen == total, "%lu bytes in all, seen %lu", total, seen);
  pass_with("%lu bytes", seen);
}
