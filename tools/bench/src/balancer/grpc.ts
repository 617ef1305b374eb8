import { connectivityState, experimental, Metadata, status } from '@grpc/grpc-js'

type Config = Parameters<typeof experimental.parseLoadBalancingConfig>[0]
export type GrpcPick = experimental.PickResult

/** The choices of a channel of grpc-js before endpoints that are all connected. */
export interface GrpcPicker {
  pick(): GrpcPick
  done(pick: GrpcPick): void
  close(): void
}

const noMetadata = new Metadata()

/** @throws Error where the load balancer does not become ready at once. */
export function grpcPicker(size: number, config: Config): GrpcPicker {
  let picker: experimental.Picker | undefined
  const ignore = () => {}
  const balancer = new experimental.ChildLoadBalancerHandler({
    createSubchannel: (address) => connected(experimental.subchannelAddressToString(address)),
    updateState(state, next) {
      picker = state === connectivityState.READY ? next : undefined
    },
    requestReresolution: ignore,
    addChannelzChild: ignore,
    removeChannelzChild: ignore,
  })
  const endpoints = Array.from({ length: size }, (_, index) => ({
    addresses: [{ host: `10.0.${index >> 8}.${index & 255}`, port: 80 }],
  }))
  const parsed = experimental.parseLoadBalancingConfig(config)
  // Twice, because no real endpoint is connected as early as the first time, when the balancer does not know its config yet.
  for (let update = 0; update < 2; update++) {
    balancer.updateAddressList(experimental.statusOrFromValue(endpoints), parsed, {}, '')
  }
  if (!picker) throw new Error(`${parsed.getLoadBalancerName()} has nothing to pick from`)
  return {
    pick() {
      // As its channel does for each call; the picker changes when weights do.
      const pick = picker!.pick({ metadata: noMetadata, extraPickInfo: {} })
      pick.onCallStarted?.()
      return pick
    },
    done(pick) {
      pick.onCallEnded?.(status.OK, '', noMetadata)
    },
    close: () => balancer.destroy(),
  }
}

/** As much of a connected subchannel as its load balancers look at. */
function connected(address: string): experimental.SubchannelInterface {
  const subchannel = {
    getConnectivityState: () => connectivityState.READY,
    getAddress: () => address,
    isHealthy: () => true,
    realSubchannelEquals: (other: unknown) => other === subchannel,
    getChannelzRef: () => ({ kind: 'subchannel', id: 0, name: address }),
    addConnectivityStateListener() {},
    removeConnectivityStateListener() {},
    addHealthStateWatcher() {},
    removeHealthStateWatcher() {},
    addDataWatcher() {},
    throttleKeepalive() {},
    startConnecting() {},
    ref() {},
    unref() {},
  }
  return subchannel as unknown as experimental.SubchannelInterface
}
