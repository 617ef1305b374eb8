/** How the parts of a queue are called in the broker. */
export const partitionQueue = (name: string, partition: number): string => `${name}.p${partition}`
export const parkedQueue = (name: string, partition: number): string => `${partitionQueue(name, partition)}.parked`
export const begunQueue = (name: string, partition: number): string => `${partitionQueue(name, partition)}.begun`
export const deadQueue = (name: string): string => `${name}.dead`
/** Never published to: its arguments say how many partitions the queue has. */
export const markerExchange = (name: string): string => `${name}.queue`
