import { createHash } from 'node:crypto'

/*
 * The node's half of ./rules.ts, with a queue and with times. What a node keeps:
 *
 *   <prefix>:node       r <run> <epoch> <floor> <older> <high>    it votes
 *                       q <run> <since> <high> <empty>            it may have lost data, and does not vote yet
 *   <prefix>:{key}      <last> <until> <since> <tokens> <owner> <from> <label>; the owner is - where there is none
 *   <prefix>:{key}:q    zset id → ticket, of those who wait; :i hash id → record
 *
 * Times are the server's, in milliseconds. <from> is the owner that handed over to this one before its release arrived.
 *
 * The counter of a key outlives its use by two epochs. <floor> is not below any counter that has been forgotten since:
 * <high> is the highest counter of the node, and becomes <older> and then <floor> as epochs pass.
 *
 * A server that has restarted does not know the script any more (Redis 7 and later), so the first call to it comes as
 * text, with the flag that makes it look at its run id: this finds every restart, also one with older data.
 */
const body = `
local call, match, format, floor, max = redis.call, string.match, string.format, math.floor, math.max
local time = call('TIME')
local us = time[1] * 1000000 + time[2]
local now = floor(us / 1000)
local epochMs, claim, ttlMax, check = match(ARGV[1], '^(%d+) (%d+) (%d+) (%d)$')
epochMs, claim, ttlMax = tonumber(epochMs), tonumber(claim), tonumber(ttlMax)
local channels = ARGV[2]
local keep = epochMs * 2
local epoch = floor(now / epochMs)

local node = {}
local function whole(text) return format('%d', text) end
local function info()
  local text = call('INFO', 'server')
  return match(text, 'run_id:(%x+)'), tonumber(match(text, 'uptime_in_seconds:(%d+)')) * 1000
end
local function store()
  if node.ready then
    call('SET', KEYS[1], format('r %s %d %d %d %d', node.run, node.epoch, node.floor, node.older, node.high))
  else
    call('SET', KEYS[1], format('q %s %d %d %d', node.run, node.since, node.high, node.empty))
  end
end
local known = call('GET', KEYS[1])
if known and match(known, '^r') then
  node.ready = true
  local run, at, low, older, high = match(known, '^r (%S+) (%d+) (%d+) (%d+) (%d+)$')
  node.run, node.epoch, node.floor, node.older, node.high = run, tonumber(at), tonumber(low), tonumber(older), tonumber(high)
elseif known then
  local run, since, high, empty = match(known, '^q (%S+) (%d+) (%d+) (%d)$')
  node.run, node.since, node.high, node.empty = run, tonumber(since), tonumber(high), tonumber(empty)
end
if not known then
  node.run = info()
  node.since, node.high, node.empty = now, 0, 1
  store()
elseif check == '1' then
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
    local last, untilMs, since, tokens, owner, from, label = match(value, '^(%d+) (%d+) (%d+) (%d+) (%S+) (%S+) (.*)$')
    if last then
      local state = { last = tonumber(last) }
      if owner ~= '-' and tonumber(untilMs) > now then
        state.owner, state.untilMs, state.since, state.tokens = owner, tonumber(untilMs), tonumber(since), tonumber(tokens)
        state.from, state.label = from, label
      end
      return state
    end
  end
  return nil, 'WRONGTYPE the key holds a value that is not a lock'
end
local function save(key, state)
  if state.owner then
    call('SET', key, format('%d %d %d %d %s %s %s', state.last, state.untilMs, state.since, state.tokens, state.owner, state.from, state.label),
      'PX', whole(keep + state.untilMs - now))
  else
    call('SET', key, format('%d 0 0 0 - - ', state.last), 'PX', whole(keep))
  end
  if state.last > node.high then node.high = state.last end
end
local function left(state)
  return state.owner and state.untilMs - now or 0
end
local function take(state, id, from, proposal, tokens, ttl, label)
  -- A clock that is far ahead must not use up the tokens of centuries.
  state.last = max(state.last + 1, math.min(proposal, us + 86400000000)) + tokens - 1
  state.owner, state.from, state.untilMs, state.since, state.tokens, state.label = id, from, now + ttl, now, tokens, label
end
local function leave(key, id)
  if call('ZREM', key .. ':q', id) == 1 then call('HDEL', key .. ':i', id) end
end
-- Gives a free key to whoever waits first and hears of it. "me" asks right now, and need not be told.
local function serve(key, state, after, me)
  while not state.owner do
    local id = call('ZRANGE', key .. ':q', 0, 0)[1]
    if not id then return end
    local packed = call('HGET', key .. ':i', id)
    local r = packed and cmsgpack.unpack(packed)
    leave(key, id)
    if r and r[4] > now then
      local last, ttl = state.last, id == me and r[1] or math.min(r[1], claim)
      take(state, id, '-', us, r[2], ttl, r[3])
      if id ~= me then
        local message = format('g %s %d %d %d %s %s', id, state.last, now, ttl, after, key)
        if call('PUBLISH', channels .. match(id, '^[^.]*'), message) == 0 then state.owner, state.last = nil, last end
      end
    end
  end
end

local YES, QUEUED, NO, AWAY = 1, 2, 3, 4
-- v, vote: id place after proposal tokens ttl wait label; where it has to wait, it does so under the name of its place
local function vote(key, text)
  local id, place, after, proposal, tokens, ttl, wait, label = match(text, '^(%S+) (%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (.*)$')
  if not node.ready then return { AWAY, node.since + ttlMax - now, node.empty } end
  local state, err = load(key)
  if err then return err end
  ttl, wait, tokens = tonumber(ttl), tonumber(wait), tonumber(tokens)
  if not state.owner then serve(key, state, '-', id) end
  if state.owner == id then
    state.untilMs = now + ttl
  elseif not state.owner or state.owner == after then
    take(state, id, state.owner or '-', tonumber(proposal), tokens, ttl, label)
  elseif wait > 0 then
    if call('ZSCORE', key .. ':q', id) then
      place = id
    else
      local newest = call('ZRANGE', key .. ':q', -1, -1, 'WITHSCORES')
      call('ZADD', key .. ':q', (tonumber(newest[2]) or 0) + 1, place)
    end
    local packed = call('HGET', key .. ':i', place)
    local since = packed and cmsgpack.unpack(packed)[5] or now
    call('HSET', key .. ':i', place, cmsgpack.pack({ ttl, tokens, label, now + wait, since }))
    for _, name in ipairs({ key .. ':q', key .. ':i' }) do
      if call('PTTL', name) < wait then call('PEXPIRE', name, whole(wait)) end
    end
    save(key, state)
    return { QUEUED, left(state), state.owner, now, place }
  end
  save(key, state)
  if state.owner == id then return { YES, state.last } end
  return { NO, left(state), state.owner }
end
-- f, free: id
local function free(key, id)
  local state, err = load(key)
  if err then return err end
  local was = 0
  if state.owner == id then
    was, state.owner = 1, nil
  else
    leave(key, id)
    if state.owner and state.from == id then was, state.from = 1, '-' end
  end
  local owner = state.owner
  if not owner and node.ready then serve(key, state, was == 1 and id or '-') end
  if was == 1 or state.owner ~= owner then save(key, state) end
  return was
end
-- Defining a function costs as much as a command, so the less frequent ones are one.
local function other(op, key, text)
  if op == 'r' then
    -- raise: id last
    local id, last = match(text, '^(%S+) (%d+)$')
    local state, err = load(key)
    if err then return err end
    if not node.ready or state.owner ~= id or state.last > tonumber(last) then return 0 end
    state.last = tonumber(last)
    save(key, state)
    return 1
  elseif op == 'k' then
    -- renew: id ttl; 2 where nobody owns it, 3 where the node does not vote
    local id, ttl = match(text, '^(%S+) (%d+)$')
    if not node.ready then return 3 end
    local state, err = load(key)
    if err then return err end
    if state.owner ~= id then return state.owner and 0 or 2 end
    state.untilMs = now + ttl
    save(key, state)
    return 1
  elseif op == 'j' then
    -- join: id last tokens ttl label
    local id, last, tokens, ttl, label = match(text, '^(%S+) (%d+) (%d+) (%d+) (.*)$')
    local state, err = load(key)
    if err then return err end
    if not node.ready or state.owner and state.owner ~= id then return 0 end
    state.last = max(state.last, tonumber(last))
    state.owner, state.from, state.untilMs, state.since, state.tokens, state.label = id, '-', now + ttl, now, tonumber(tokens), label
    save(key, state)
    return 1
  elseif op == 'i' then
    -- inspect
    local state, err = load(key)
    if err then return err end
    if not state.owner and node.ready then
      serve(key, state, '-')
      if state.owner then save(key, state) end
    end
    local queue = {}
    for _, id in ipairs(call('ZRANGE', key .. ':q', 0, 999)) do
      local packed = call('HGET', key .. ':i', id)
      local r = packed and cmsgpack.unpack(packed)
      if r and r[4] > now then queue[#queue + 1] = { id, r[3], now - r[5], r[4] - now } end
    end
    if not state.owner then return { {}, queue } end
    return { { state.owner, state.label, now - state.since, left(state), state.last - state.tokens + 1 }, queue }
  elseif op == 'p' then
    -- report of the node: ready, high, how long it still stays out, whether it is empty, how long it is up
    if node.ready then return { 1, node.high, 0, 0, 0 } end
    local _, up = info()
    return { 0, node.high, node.since + ttlMax - now, node.empty, up }
  elseif op == 'a' then
    -- admit: floor, whether all nodes are new
    local low, new = match(text, '^(%d+) (%d)$')
    if node.ready then return 1 end
    local _, up = info()
    if node.since + ttlMax > now and not (new == '1' and node.empty == 1 and up >= ttlMax) then return 0 end
    low = max(tonumber(low), node.high)
    node.ready, node.epoch, node.floor, node.older, node.high = true, epoch, low, low, low
    highBefore = -1
    return 1
  end
end

local reply = {}
for n = 3, #ARGV do
  local op, text = ARGV[n]:sub(1, 1), ARGV[n]:sub(3)
  if op == 'v' then
    reply[n - 2] = vote(KEYS[n - 1], text)
  elseif op == 'f' then
    reply[n - 2] = free(KEYS[n - 1], text)
  else
    reply[n - 2] = other(op, KEYS[n - 1], text)
  end
end
if node.high ~= highBefore and (node.ready or node.high > highBefore) then store() end
return reply`

export const script: { readonly text: string; readonly sha: string } = {
  text: body,
  sha: createHash('sha1').update(body).digest('hex'),
}
