/** The same as test/shared-objects.test.ts, with the record of the cluster in an etcd. */
import { withEtcd } from '../support/stores.ts';

await withEtcd(() => import('../shared-objects.test.ts'));
