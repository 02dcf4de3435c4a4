/* stream-write BYTES [CHUNK=0] [PAUSE_US=0] [SEED=1]: writes a deterministic stream to stdout, in pieces of CHUNK bytes (0: of irregular size), with a
   pause after each. BYTES 0: until a stop. The verdict goes to stderr. */
#include "../workload.h"

int main(int argc, char **argv) {
  uint64_t total = number_argument(argc, argv, 1, 0), chunk = number_argument(argc, argv, 2, 0), sizes = 77;
  long pause_microseconds = number_argument(argc, argv, 3, 0);
  uint64_t state = number_argument(argc, argv, 4, 1) * 0x9e3779b97f4a7c15ULL + 1, sent = 0;
  static unsigned char piece[256 * KIB];
  prepare_stop();
  while ((total == 0 || sent < total) && !(total == 0 && stopped())) {
    size_t length = chunk ? chunk : next_random(&sizes) % sizeof piece + 1;
    if (length > sizeof piece) length = sizeof piece;
    if (total != 0 && length > total - sent) length = total - sent;
    for (size_t i = 0; i < length; i++) piece[i] = next_random(&state) >> 32;
    for (size_t done = 0; done < length;) {
      ssize_t result = write(1, piece + done, length - done);
      if (result < 0) {
        dprintf(2, "FAIL: expected a write to work, seen %s after %lu bytes\n", strerror(errno), sent);
        return 1;
      }
      done += result;
      sent += result;
    }
    if (pause_microseconds > 0) usleep(pause_microseconds);
  }
  dprintf(2, "pass wrote %lu bytes\n", sent);
  return 0;
}
