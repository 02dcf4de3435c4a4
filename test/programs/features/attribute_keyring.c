/* what: a session keyring of its own with a key */
/* needs: refusable */
/* spoil: syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) */
#include "../feature.h"
#include <linux/keyctl.h>

int main(void) {
  char payload[16] = "";
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0) skip("no keyrings: %s", strerror(errno));
  long key = must(syscall(SYS_add_key, "user", "korrigan", "secret", 6L, (long)KEY_SPEC_SESSION_KEYRING));
  ready();
  equal("key found", must(syscall(SYS_keyctl, KEYCTL_SEARCH, (long)KEY_SPEC_SESSION_KEYRING, "user", "korrigan", 0L)), key);
  equal("bytes", must(syscall(SYS_keyctl, KEYCTL_READ, key, payload, sizeof payload)), 6);
  check(strncmp(payload, "secret", 6) == 0, "the key's content, seen %.6s", payload);
  pass();
}
