export { type DiscoverySubject, discoveryConformance, discoveryRules } from './conformance/discovery.ts'
export { policyConformance, policyRules } from './conformance/policy.ts'
