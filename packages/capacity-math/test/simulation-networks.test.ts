import { testWitnesses } from './agreement.ts'
import { classWitnesses } from './witnesses/classes.ts'
import { networkWitnesses } from './witnesses/networks.ts'
import { timeWitnesses } from './witnesses/times.ts'

testWitnesses({ ...networkWitnesses, ...classWitnesses, ...timeWitnesses })
