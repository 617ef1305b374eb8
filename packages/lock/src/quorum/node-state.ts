/*
 * What a node keeps, and the part of its script that reads and writes it:
 *
 *   <prefix>:node       r<epoch> <high> <floor> <older> <run>     it votes
 *                       q<run> <since> <high> <empty>             it may have lost data, and does not vote yet
 *   <prefix>:{key}      f<last>                                   free
 *                       x<last> <until> <owner> <from> <since> <tokens> <label>
 *                       q… and w…: the same, and somebody may be waiting
 *   <prefix>:{key}:q    zset id → ticket, of those who wait; :i hash id → record
 *
 * Times are the server's, in milliseconds. <from> is the owner that handed over to this one.
 *
 * The counter of a key outlives its use by two epochs. <floor> is not below any counter that has been forgotten since:
 * <high> is not below any counter of the node, and becomes <older> and then <floor> as epochs pass. It is ahead by up to
 * HEADROOM, so that it need not be written with every token, which are microseconds as long as clocks are right.
 */

/** Begins every call. */
export const head: string = `
local call, match, format = redis.call, string.match, string.format
local keep = ARGV[1] * 2
local reply = {}
`

/** What all but releases need: `now` and `us`, and the marker of the node as `known`. */
export const now: string = `
local floor, max, min = math.floor, math.max, math.min
local HEADROOM, AHEAD = 100000, 86400000000
local YES, QUEUED, NO, AWAY = 1, 2, 3, 4
local time = call('TIME')
local us = time[1] * 1000000 + time[2]
local now = floor(us / 1000)
local epoch = floor(now / ARGV[1])
local known = call('GET', KEYS[1])
`

export const prelude: string = `
local claim, ttlMax, channels = match(ARGV[2], '^(%d+) (%d+) (.*)$')
claim, ttlMax = tonumber(claim), tonumber(ttlMax)

local node = {}
local function info()
  local text = call('INFO', 'server')
  return match(text, 'run_id:(%x+)'), tonumber(match(text, 'uptime_in_seconds:(%d+)')) * 1000
end
local function store()
  if node.ready then
    call('SET', KEYS[1], format('r%d %d %d %d %s', node.epoch, node.high, node.floor, node.older, node.run))
  else
    call('SET', KEYS[1], format('q%s %d %d %d', node.run, node.since, node.high, node.empty))
  end
end
if known then
  local at, high, low, older, run = match(known, '^r(%d+) (%d+) (%d+) (%d+) (%S+)$')
  if at then
    node.ready, node.run = true, run
    node.epoch, node.high, node.floor, node.older = tonumber(at), tonumber(high), tonumber(low), tonumber(older)
  else
    local since, empty
    run, since, high, empty = match(known, '^q(%S+) (%d+) (%d+) (%d)$')
    node.run, node.since, node.high, node.empty = run, tonumber(since), tonumber(high), tonumber(empty)
  end
end
if not node.run then
  node.run = info()
  node.since, node.high, node.empty = now, 0, 1
  store()
elseif ARGV[3] == '1' then
  local run, up = info()
  if run ~= node.run then
    node.run, node.since, node.ready, node.empty = run, now - up, false, node.empty or 0
    store()
  end
end
local highBefore = node.high
if node.ready and node.epoch ~= epoch then
  -- A clock that has jumped says nothing about how much time has passed.
  node.floor = epoch == node.epoch + 1 and node.older or node.high
  node.epoch, node.older, highBefore = epoch, node.high, -1
end

local function load(key)
  local value = redis.pcall('GET', key)
  if not value then return { last = node.floor or 0 } end
  if type(value) == 'string' then
    local kind, last, rest = match(value, '^([fqxw])(%d+)(.*)$')
    if kind then
      local state = { last = tonumber(last), queue = kind == 'q' or kind == 'w' }
      if rest == '' then return state end
      local untilMs, owner, from, since, tokens, label = match(rest, '^ (%d+) (%S+) (%S+) (%d+) (%d+) (.*)$')
      if owner then
        if tonumber(untilMs) > now then
          state.owner, state.untilMs, state.since, state.tokens = owner, tonumber(untilMs), tonumber(since), tonumber(tokens)
          state.from, state.label = from, label
        else
          state.past = owner
        end
        return state
      end
    end
  end
  return nil, 'WRONGTYPE the key holds a value that is not a lock'
end
local function save(key, state)
  if state.owner then
    call('SET', key, format('%s%d %d %s %s %d %d %s', state.queue and 'w' or 'x', state.last, state.untilMs, state.owner,
      state.from, state.since, state.tokens, state.label), 'PX', keep + state.untilMs - now)
  else
    call('SET', key, format('%s%d', state.queue and 'q' or 'f', state.last), 'PX', keep)
  end
  if state.last > node.high then node.high = state.last + HEADROOM end
end
local function left(state)
  return state.owner and state.untilMs - now or 0
end
local function take(state, id, from, proposal, tokens, ttl, label)
  -- A clock that is far ahead must not use up the tokens of centuries.
  state.last = max(state.last + 1, min(proposal, us + AHEAD)) + tokens - 1
  state.owner, state.from, state.untilMs, state.since, state.tokens, state.label = id, from, now + ttl, now, tokens, label
end
local function leave(key, id)
  if call('ZREM', key .. ':q', id) == 1 then call('HDEL', key .. ':i', id) end
end
-- Gives a free key to whoever waits first and hears of it. "me" asks right now, and need not be told.
local function serve(key, state, after, me)
  while state.queue and not state.owner do
    local id = call('ZPOPMIN', key .. ':q')[1]
    if not id then
      state.queue = false
      return
    end
    local packed = call('HGET', key .. ':i', id)
    local r = packed and cmsgpack.unpack(packed)
    call('HDEL', key .. ':i', id)
    if r and r[4] > now then
      local last, ttl = state.last, id == me and r[1] or min(r[1], claim)
      take(state, id, after, us, r[2], ttl, r[3])
      if id ~= me then
        local message = format('g %s %d %d %d %s %s', id, state.last, now, ttl, after, key)
        if call('PUBLISH', channels .. match(id, '^[^.]*'), message) == 0 then state.owner, state.last = nil, last end
      end
    end
  end
end
`
