export { type DnsDiscoveryOptions, type DnsResolver, dnsDiscovery } from './discovery/dns.ts'
