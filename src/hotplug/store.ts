/** Where the nodes of a cluster keep its record. Two drivers have this interface: `register-store` and etcd. */
import type { View } from './view.ts';

export interface ClusterStore extends AsyncDisposable {
  /** The latest record that this node has heard of; there may be a later one. */
  readonly known: View;

  /** The record as it is now. @throws KorriganError KRG_NO_MAJORITY */
  read(): Promise<View>;

  /**
   * Changes the record, whatever others do at the same time.
   * @param change is called with the present record, and again when somebody else came first; what it throws is thrown. When an answer was lost it may be
   * called with a record that it has changed already, and has to find that this is so.
   * @returns the new record
   * @throws KorriganError KRG_NO_MAJORITY: it is not known whether the record was changed
   */
  change(change: (view: View) => View): Promise<View>;

  /** Told of records that this node hears of, each later than the last. @returns what ends that */
  watch(listener: (view: View) => void): () => void;
}
