/**
 * hotplug: who is in the cluster. First cut: a list that is fixed when the cluster starts; a node is online while the link to it
 * works. Joining, draining, removal and failure come later, behind the same interface.
 */
export * from './membership.ts';
