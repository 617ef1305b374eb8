import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { answers } from './probe.ts'
import { findProgram } from './program.ts'
import { type Place, type Server, startServer } from './server.ts'

export interface NginxServer extends Server {
  /** From now on it passes requests on to these; those that are open end where they are. */
  use(addresses: readonly string[]): Promise<void>
}

/**
 * An nginx that passes requests on to `addresses`, to the one with the fewest open ones (`least_conn`), over connections
 * that stay open.
 */
export async function startNginx(addresses: readonly string[]): Promise<NginxServer> {
  let place: Place | undefined
  const program = await findProgram('nginx', { binaries: ['nginx'], folders: ['usr/sbin'] })
  const server = await startServer({
    name: 'nginx',
    portCount: 1,
    readyMs: 30_000,
    ready: /start worker process /,
    quitSignal: 'SIGTERM',
    url: ({ ports }) => `http://127.0.0.1:${ports[0]}`,
    async prepare(made) {
      place = made
      await mkdir(made.data, { recursive: true })
      await writeFile(join(made.data, 'nginx.conf'), settings(made, addresses))
    },
    command: ({ data }) => ({
      command: join(program.folder, 'nginx'),
      // The log that it is built with is one of the system's.
      args: ['-p', data, '-c', join(data, 'nginx.conf'), '-e', 'stderr'],
      env: program.env,
    }),
    probe: ({ ports }) =>
      answers(ports[0]!, 'GET /nginx HTTP/1.0\r\n\r\n', (reply) => reply.toString().startsWith('HTTP/1.1 204')),
  })
  return Object.assign(server, {
    async use(others: readonly string[]) {
      await writeFile(join(place!.data, 'nginx.conf'), settings(place!, others))
      process.kill(server.pid, 'SIGHUP')
    },
  })
}

function settings({ data, ports }: Place, addresses: readonly string[]): string {
  const isRoot = process.getuid?.() === 0
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${data};`)
  return `
    daemon off;
    worker_processes 1;
    pid ${data}/pid;
    error_log stderr notice;
    ${isRoot ? 'user nobody nogroup;' : ''}
    events { worker_connections 1024; }
    http {
      access_log off;
      ${temporary.join(' ')}
      keepalive_requests 1000000;
      upstream endpoints {
        least_conn;
        ${addresses.map((address) => `server ${address};`).join(' ')}
        keepalive 128;
        keepalive_requests 1000000;
      }
      server {
        listen 127.0.0.1:${ports[0]};
        location = /nginx { return 204; }
        location / {
          proxy_pass http://endpoints;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
        }
      }
    }`
}
