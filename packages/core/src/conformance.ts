import { systemClock } from './clock.ts'
import { within } from './deadline.ts'

/** One sentence of a contract, and how it is checked on a fresh subject. */
export interface Rule<Subject, Supports = Record<string, unknown>> {
  /** A sentence about behaviour; the name under which a driver can skip it. */
  readonly name: string
  /** Features the subject must declare; where it does not, the rule does not apply to it. */
  readonly needs?: (supports: Supports) => boolean
  readonly check: (subject: Subject) => Promise<void>
}

export interface ConformanceOptions<Subject, Supports> {
  /** The test function of any runner: `test(name, run)`, with `test.skip` where the runner has one. */
  readonly test: TestFunction
  /** Makes a fresh, empty subject for one rule; `close` runs after the rule, also when it fails. */
  readonly create: () => Promise<Fixture<Subject>> | Fixture<Subject>
  readonly supports: Supports
  /** Rules the subject is known not to keep, each with the reason, which is shown in the name of the skipped test. */
  readonly skip?: Readonly<Record<string, string>>
}

export interface Fixture<Subject> {
  readonly subject: Subject
  close?(): Promise<void> | void
}

export interface TestFunction {
  (name: string, run: () => Promise<void>): unknown
  skip?(name: string, run: () => Promise<void>): unknown
}

/**
 * Registers one test for each rule that applies with the runner. A rule that is skipped stays visible, with its reason in
 * its name.
 * @throws RangeError when `skip` names a rule that does not exist, which would stay skipped unseen after a change of
 * name, or gives no reason.
 * @throws TypeError when rules are skipped and the runner has no `test.skip`: a test that checks nothing must not pass.
 */
export function runConformance<Subject, Supports>(
  rules: readonly Rule<Subject, Supports>[],
  options: ConformanceOptions<Subject, Supports>,
): void {
  const { test, create, supports, skip = {} } = options
  for (const [name, reason] of Object.entries(skip)) {
    if (reason === '') throw new RangeError(`skip gives no reason for "${name}"`)
    if (!rules.some((rule) => rule.name === name)) throw new RangeError(`skip names an unknown rule: "${name}"`)
    if (!test.skip) throw new TypeError('test.skip must be a function where rules are skipped')
  }
  for (const rule of rules) {
    if (!applies(rule, supports)) continue
    const run = () => checkRule(rule, create)
    const reason = skip[rule.name]
    if (reason === undefined) test(rule.name, run)
    else test.skip?.(`${rule.name} (skipped: ${reason})`, run)
  }
}

function applies<Subject, Supports>(rule: Rule<Subject, Supports>, supports: Supports): boolean {
  return rule.needs === undefined || rule.needs(supports)
}

/**
 * Checks every rule that applies and returns the names of the broken ones. For testing a suite against drivers that are
 * broken on purpose: each must be caught by the rule that is meant for it.
 * @param options.ruleMaxMs a rule that takes longer counts as broken: a driver that hangs is broken too; 3 s by default.
 */
export async function brokenRules<Subject, Supports>(
  rules: readonly Rule<Subject, Supports>[],
  options: Pick<ConformanceOptions<Subject, Supports>, 'create' | 'supports'> & { readonly ruleMaxMs?: number },
): Promise<string[]> {
  const { create, supports, ruleMaxMs = 3_000 } = options
  const broken: string[] = []
  for (const rule of rules) {
    if (!applies(rule, supports)) continue
    await within(systemClock, ruleMaxMs, checkRule(rule, create)).catch(() => broken.push(rule.name))
  }
  return broken
}

async function checkRule<Subject, Supports>(
  rule: Rule<Subject, Supports>,
  create: () => Promise<Fixture<Subject>> | Fixture<Subject>,
): Promise<void> {
  const fixture = await create()
  try {
    await rule.check(fixture.subject)
  } catch (error) {
    // How the rule was broken is the news; that the broken subject does not close either would hide it.
    const closed = async () => fixture.close?.()
    await closed().catch(() => {})
    throw error
  }
  await fixture.close?.()
}
