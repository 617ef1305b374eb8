export {
  type DiscoverySubject,
  type DiscoverySupports,
  discoveryConformance,
  discoveryRules,
} from './conformance/discovery.ts'
export { policyConformance, policyRules } from './conformance/policy.ts'
