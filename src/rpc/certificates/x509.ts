/**
 * The X.509 library, loaded only where certificates, requests and revocation lists are made or read (`await import`): a daemon that merely
 * uses its certificate does without, as its TLS does all that by itself.
 */
// It changes a global, which the library's dependency container asks for.
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata';
export * from '@peculiar/x509';
