/* what: a BPF map with an entry */
/* needs: refusable */
/* spoil: close(fd) */
#include "../feature.h"
#include <linux/bpf.h>

int main(void) {
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 4};
  int key = 7, value = 42, seen = 0;
  int fd = syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map);
  if (fd < 0) skip("no BPF maps: %s", strerror(errno));
  union bpf_attr entry = {.map_fd = fd, .key = (uintptr_t)&key, .value = (uintptr_t)&value};
  must(syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &entry, sizeof entry));
  ready();
  entry.value = (uintptr_t)&seen;
  must(syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &entry, sizeof entry));
  equal("value", seen, 42);
  pass();
}
